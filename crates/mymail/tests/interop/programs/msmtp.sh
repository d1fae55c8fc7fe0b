# msmtp: starttls or implicit, the mechanism, further options. Line ends and dots are its own work.
set -eu
case $1 in
    starttls) port=$SMTP starttls=on ;;
    implicit) port=$SMTPS starttls=off ;;
esac
mechanism=$2
shift 2
cat >msmtprc <<END
account default
host $HOST
port $port
timeout 60
tls on
tls_starttls $starttls
tls_trust_file $CA
auth $mechanism
user $LOGIN
password $PASSWORD
from $ADDRESS
END
chmod 600 msmtprc
exec msmtp --debug --file=msmtprc "$@" -- "$TO" <"$MESSAGE_LF"
