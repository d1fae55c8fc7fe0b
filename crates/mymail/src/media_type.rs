//! The media type of an attachment, guessed from its file's name.

use std::path::Path;

/// The media type that files of this name usually have; `application/octet-stream` (RFC 2046 §4.5.1) when it says nothing.
pub(crate) fn guess(path: &Path) -> &'static str {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
    let known = TYPES.iter().find(|(_, extensions)| extensions.contains(&extension.as_str()));
    known.map_or("application/octet-stream", |(media_type, _)| media_type)
}

const TYPES: &[(&str, &[&str])] = &[
    ("application/gzip", &["gz", "tgz"]),
    ("application/json", &["json"]),
    ("application/msword", &["doc"]),
    ("application/pdf", &["pdf"]),
    ("application/vnd.ms-excel", &["xls"]),
    ("application/vnd.oasis.opendocument.spreadsheet", &["ods"]),
    ("application/vnd.oasis.opendocument.text", &["odt"]),
    ("application/vnd.openxmlformats-officedocument.presentationml.presentation", &["pptx"]),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", &["xlsx"]),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", &["docx"]),
    ("application/x-tar", &["tar"]),
    ("application/xml", &["xml"]),
    ("application/zip", &["zip"]),
    ("application/zstd", &["zst"]),
    ("audio/flac", &["flac"]),
    ("audio/mpeg", &["mp3"]),
    ("audio/ogg", &["oga", "ogg", "opus"]),
    ("audio/wav", &["wav"]),
    ("image/avif", &["avif"]),
    ("image/gif", &["gif"]),
    ("image/jpeg", &["jpeg", "jpg"]),
    ("image/png", &["png"]),
    ("image/svg+xml", &["svg"]),
    ("image/webp", &["webp"]),
    ("text/calendar", &["ics"]),
    ("text/css", &["css"]),
    ("text/csv", &["csv"]),
    ("text/html", &["htm", "html"]),
    ("text/markdown", &["md"]),
    ("text/plain", &["c", "conf", "log", "patch", "diff", "py", "rs", "sh", "toml", "txt", "yaml", "yml"]),
    ("text/vcard", &["vcf"]),
    ("video/mp4", &["mp4"]),
    ("video/webm", &["webm"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_types() {
        assert_eq!(guess(Path::new("holiday/Beach.JPG")), "image/jpeg");
        assert_eq!(guess(Path::new("notes.txt")), "text/plain");
        assert_eq!(guess(Path::new("backup.tar.gz")), "application/gzip");
        assert_eq!(guess(Path::new("Makefile")), "application/octet-stream");
        assert_eq!(guess(Path::new(".png")), "application/octet-stream");
    }
}
