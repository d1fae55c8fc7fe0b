# mpop: starttls or implicit, the mechanism ("user" is USER and PASS). It pipelines where CAPA says PIPELINING.
set -eu
case $1 in
    starttls) port=$POP3 starttls=on ;;
    implicit) port=$POP3S starttls=off ;;
esac
cat >mpoprc <<END
account default
host $HOST
port $port
timeout 60
tls on
tls_starttls $starttls
tls_trust_file $CA
auth $2
user $LOGIN
password $PASSWORD
pipelining $3
received_header off
keep off
uidls_file $PWD/uidls
delivery maildir $INBOX
END
chmod 600 mpoprc
mkdir -p "$INBOX/cur" "$INBOX/new" "$INBOX/tmp"
exec mpop --debug --file=mpoprc
