# openssl s_client: smtp (STARTTLS), smtps, pop3 (STLS) or pop3s, and what a person would type into it.
set -eu
export LC_ALL=C
case $1 in
    smtp) where="-starttls smtp -connect $HOST:$SMTP" ;;
    smtps) where="-connect $HOST:$SMTPS" ;;
    pop3) where="-starttls pop3 -connect $HOST:$POP3" ;;
    pop3s) where="-connect $HOST:$POP3S" ;;
esac
# Without -quiet a line that begins with R or Q is a command to it.
coproc openssl s_client -quiet -verify_quiet $where -CAfile "$CA" -verify_return_error -verify_hostname "$HOST"
exec {in}<&"${COPROC[0]}" {out}>&"${COPROC[1]}"

# One reply, whose last line must look so.
hear() {
    local line
    while IFS= read -r -t 60 line <&"$in"; do
        printf 'S: %s\n' "$line" >&2
        case $line in
            [0-9][0-9][0-9]-*) ;;
            $1) return ;;
            *) exit 1 ;;
        esac
    done
    exit 1
}

say() {
    printf '%s\r\n' "$1" >&"$out"
    hear "$2"
}

# The lines of a multi-line answer of POP3.
lines() {
    local line
    while IFS= read -r -t 60 line <&"$in"; do
        case $line in
            $'.\r') return ;;
            .*) printf '%s\n' "${line#.}" ;;
            *) printf '%s\n' "$line" ;;
        esac
    done
    exit 1
}

token() {
    printf '\0%s\0%s' "$LOGIN" "$PASSWORD" | base64 -w0
}

case $1 in
    smtp | smtps)
        # Behind STARTTLS it has read the greeting itself.
        if [ "$1" = smtps ]; then hear '220 *'; fi
        say 'EHLO client.example' '250 *'
        say "AUTH PLAIN $(token)" '235 *'
        say "MAIL FROM:<$ADDRESS>" '250 *'
        say "RCPT TO:<$TO>" '250 *'
        say DATA '354 *'
        sed 's/^\./../' "$MESSAGE" >&"$out"
        say . '250 *'
        say QUIT '221 *'
        ;;
    pop3 | pop3s)
        if [ "$1" = pop3s ]; then hear '+OK*'; fi
        say "USER $LOGIN" '+OK*'
        say "PASS $PASSWORD" '+OK*'
        say LIST '+OK*'
        lines >list
        while read -r number _; do
            say "RETR $number" '+OK*'
            lines >"$INBOX/$number"
            say "DELE $number" '+OK*'
        done <list
        say QUIT '+OK*'
        ;;
esac
