# s-nail: pop3 (STLS) or pop3s. Reads the mailbox and moves all of it into a Maildir. Its way of an mbox is undone: a ">" before
# "From ", and an empty line at the end.
set -eu
case $1 in
    pop3) url="pop3://$HOST:$POP3" ;;
    pop3s) url="pop3s://$HOST:$POP3S" ;;
esac
export LC_ALL=C.UTF-8
rmdir "$INBOX"
s-nail -:/ -v -v -S v15-compat -S user="$LOGIN" -S password="$PASSWORD" -S pop3-use-starttls -S pop3-bulk-load \
    -S tls-ca-file="$CA" -S tls-ca-no-defaults -S tls-verify=strict -f "$url" <<END
move * maildir://$INBOX
quit
END
sed -i -e 's/^>From /From /' -e '${/^$/d}' "$INBOX"/*/*
