-- Messages are written to a journal first (docs/durability.md). Their bytes stay there, in the segment that has them; those
-- of many bytes are in a file of the folder bodies, those of before this step in the column body.
CREATE TABLE message_of_4 (
    id             INTEGER PRIMARY KEY,    -- grows in the order of delivery, never used again: see position
    mailboxes      INTEGER NOT NULL,       -- how many have it; it goes with the last
    reverse_path   TEXT    NOT NULL,
    trace          TEXT    NOT NULL,
    received_at    INTEGER NOT NULL,
    octets         INTEGER NOT NULL,
    carried_octets INTEGER,
    digest         INTEGER,                -- XXH3 of the bytes, as a signed number; null before this step
    segment        INTEGER,                -- of the journal, and
    place          INTEGER,                -- where in it the bytes begin
    file           INTEGER,
    body           BLOB,
    CHECK ((segment IS NOT NULL) + (file IS NOT NULL) + (body IS NOT NULL) = 1 AND (segment IS NULL) = (place IS NULL))
) STRICT;
INSERT INTO message_of_4 (id, mailboxes, reverse_path, trace, received_at, octets, carried_octets, file, body)
    SELECT id, (SELECT count(*) FROM entry WHERE entry.message = message.id),
        reverse_path, trace, received_at, octets, carried_octets, file, body
    FROM message;

-- Without the index by message, for the message counts its mailboxes.
CREATE TABLE entry_of_4 (
    account        INTEGER NOT NULL,
    message        INTEGER NOT NULL,
    recipient      TEXT    NOT NULL,       -- the address that led here, detail and all
    octets         INTEGER NOT NULL,       -- these repeat what the message says, so that a mailbox is listed from one place
    carried_octets INTEGER,
    trace_octets   INTEGER NOT NULL,
    received_at    INTEGER NOT NULL,
    PRIMARY KEY (account, message)
) STRICT, WITHOUT ROWID;
INSERT INTO entry_of_4 (account, message, recipient, octets, carried_octets, trace_octets, received_at)
    SELECT account, message, recipient, octets, carried_octets, trace_octets, received_at FROM entry;

-- The journal's segments that have bytes of messages, and the one that is written to.
CREATE TABLE segment (
    number INTEGER PRIMARY KEY,
    octets INTEGER NOT NULL,               -- so far the records in it are in these tables
    live   INTEGER NOT NULL                -- the octets of the messages that have their bytes here, plus 512 each
) STRICT;

-- One row: what of the journal is in these tables.
CREATE TABLE position (
    segment      INTEGER NOT NULL,         -- all segments before it, and of this one
    octets       INTEGER NOT NULL,         -- so many octets
    next_message INTEGER NOT NULL          -- the id of the next message
) STRICT;
INSERT INTO position (segment, octets, next_message)
    SELECT 0, 0, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'message'), 0) + 1;

DROP TABLE entry;
DROP TABLE message;
ALTER TABLE entry_of_4 RENAME TO entry;
ALTER TABLE message_of_4 RENAME TO message;
CREATE UNIQUE INDEX message_by_file ON message (file) WHERE file IS NOT NULL;
