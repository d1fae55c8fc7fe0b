# fetchmail: starttls or implicit. It hands each message to a program, here one that files it.
set -eu
case $1 in
    starttls) port=$POP3 ssl= ;;
    implicit) port=$POP3S ssl=ssl ;;
esac
cat >fetchmailrc <<END
set invisible
poll $HOST service $port protocol pop3 timeout 60
    user "$LOGIN" password "$PASSWORD"
    $ssl sslproto "TLS1.2+" sslcertck sslcertfile "$CA" no rewrite fetchall mda "cat >\$(mktemp -p $INBOX)"
END
chmod 600 fetchmailrc
exec fetchmail --verbose --verbose --nosyslog --nodetach --pidfile "$PWD/pid" --idfile "$PWD/ids" --fetchmailrc fetchmailrc
