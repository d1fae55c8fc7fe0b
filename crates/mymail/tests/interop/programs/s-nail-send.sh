# s-nail: smtp (STARTTLS) or smtps, the mechanism. It composes the message from a text.
set -eu
case $1 in
    smtp) mta="smtp://$HOST:$SMTP" ;;
    smtps) mta="smtps://$HOST:$SMTPS" ;;
esac
export LC_ALL=C.UTF-8
exec s-nail -:/ -v -v -S v15-compat -S mta="$mta" -S smtp-use-starttls -S smtp-auth="$2" -S user="$LOGIN" -S password="$PASSWORD" \
    -S tls-ca-file="$CA" -S tls-ca-no-defaults -S tls-verify=strict -S mime-encoding=8bit -S ttycharset=utf-8 \
    -S from="$ADDRESS" -S sendwait -S nosave -s "From s-nail" "$TO" <"$TEXT"
