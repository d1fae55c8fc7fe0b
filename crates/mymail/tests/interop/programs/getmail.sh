# getmail: clear or implicit. It hands each message to a program, here one that files it: as root it files nothing itself.
set -eu
case $1 in
    clear) retriever=SimplePOP3Retriever port=$POP3 ca= ;;
    implicit) retriever=SimplePOP3SSLRetriever port=$POP3S ca="ca_certs = $CA" ;;
esac
cat >getmailrc <<END
[retriever]
type = $retriever
server = $HOST
port = $port
timeout = 60
username = $LOGIN
password = $PASSWORD
$ca
[destination]
type = MDA_external
path = /bin/sh
arguments = ("-c", "cat >$INBOX/\$\$")
allow_root_commands = true
[options]
delete = true
delivered_to = false
received = false
verbose = 2
END
chmod 600 getmailrc
exec getmail --getmaildir "$PWD" --rcfile getmailrc
