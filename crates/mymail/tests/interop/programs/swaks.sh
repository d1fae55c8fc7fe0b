# swaks: starttls, implicit or submission, the mechanism, further options. Line ends and dots are its own work, and so is the last line end.
set -eu
case $1 in
    starttls) tls="--tls --port $SMTP" ;;
    submission) tls="--tls --port $SUBMISSION" ;;
    implicit) tls="--tls-on-connect --port $SMTPS" ;;
esac
mechanism=$2
shift 2
head -c -1 "$MESSAGE_LF" >data
exec swaks --server "$HOST" $tls --tls-verify --tls-ca-path "$CA" "$@" \
    --auth "$mechanism" --auth-user "$LOGIN" --auth-password "$PASSWORD" \
    --from "$ADDRESS" --to "$TO" --data @data
