# curl: smtp (STARTTLS) or smtps, the mechanism. It makes the dots, not the line ends.
set -eu
case $1 in
    smtp) url="smtp://$HOST:$SMTP/client.example" ;;
    smtps) url="smtps://$HOST:$SMTPS/client.example" ;;
esac
exec curl -sS -v --max-time 60 --ssl-reqd --cacert "$CA" --url "$url" \
    --user "$LOGIN:$PASSWORD" --login-options "AUTH=$2" \
    --mail-from "$ADDRESS" --mail-rcpt "$TO" --upload-file "$MESSAGE"
