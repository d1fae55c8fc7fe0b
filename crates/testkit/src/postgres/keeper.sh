# Keeps one PostgreSQL server and its folder as long as somebody holds the other end of its standard input, and no longer, however
# that one has ended. Arguments: where to make the folder, the program `postgres`, and its arguments. A line of input starts it, in the folder.
folder=$(mktemp -d "$1/mymail-postgres.XXXXXX") || exit
shift
cd "$folder" || exit
echo "$folder"
exec >>log 2>&1
trap '' INT HUP TERM

while read -r _; do
    "$@" &
done

if [ -n "$!" ]; then
    # Without the last two it would not end: those that have been stopped hear nothing.
    kill -QUIT $!
    kill -CONT $! $(cat /proc/$!/task/$!/children)
    wait
fi
# One that was killed has left a little shared memory behind.
[ ! -e data/postmaster.pid ] || ipcrm --shmem-id "$(sed -n '7s/.* //p' data/postmaster.pid)"
rm -rf "$folder"
