# curl: pop3 (STLS) or pop3s, the mechanism or "USER" for USER and PASS. One connection for each command.
set -eu
case $1 in
    pop3) url="pop3://$HOST:$POP3" ;;
    pop3s) url="pop3s://$HOST:$POP3S" ;;
esac
case $2 in
    USER) login= ;;
    *) login="--login-options AUTH=$2" ;;
esac
fetch() {
    curl -sS -v --max-time 60 --ssl-reqd --cacert "$CA" --user "$LOGIN:$PASSWORD" $login "$@"
}
fetch "$url" --output answer
tr -d '\r' <answer >list
while read -r number _; do
    fetch "$url/$number" --output "$INBOX/$number"
done <list
# Numbers move up only between sessions: what is deleted last first keeps its number.
sort -rn list >reversed
while read -r number _; do
    fetch "$url/$number" --request DELE --head
done <reversed
