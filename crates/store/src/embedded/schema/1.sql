-- An account, and after its end the hold on its address: then held_until says until when, and nothing else is of use.
CREATE TABLE account (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,   -- never used again
    key        TEXT    NOT NULL UNIQUE,             -- what the address is looked up by
    address    TEXT    NOT NULL,                    -- as it was registered
    domain     TEXT    NOT NULL,
    number     INTEGER,                             -- of a descriptor's address
    verifier   TEXT,                                -- proves the password, if it has one
    used_at    INTEGER NOT NULL,
    held_until INTEGER,                             -- null while the account lives
    octets     INTEGER NOT NULL DEFAULT 0           -- the sum over its entries
) STRICT;
CREATE INDEX account_by_number ON account (domain, number, held_until) WHERE number IS NOT NULL;
CREATE INDEX account_by_lease  ON account (used_at)
    WHERE number IS NOT NULL AND verifier IS NOT NULL AND held_until IS NULL;
CREATE INDEX account_unclaimed ON account (id) WHERE verifier IS NULL AND held_until IS NULL;
CREATE INDEX account_by_hold   ON account (held_until) WHERE held_until IS NOT NULL;

-- A message, once for all its recipients. Its bytes are here while few, else in a file of the folder bodies.
CREATE TABLE message (
    id           INTEGER PRIMARY KEY AUTOINCREMENT, -- grows in the order of delivery, never used again
    reverse_path TEXT    NOT NULL,
    trace        TEXT    NOT NULL,
    received_at  INTEGER NOT NULL,
    octets       INTEGER NOT NULL,
    file         INTEGER,
    body         BLOB,
    CHECK ((file IS NULL) <> (body IS NULL))
) STRICT;
CREATE UNIQUE INDEX message_by_file ON message (file) WHERE file IS NOT NULL;

-- A message's place in one mailbox. octets repeats the message's, so that a maildrop is read from one place.
CREATE TABLE entry (
    account   INTEGER NOT NULL REFERENCES account,
    message   INTEGER NOT NULL REFERENCES message,
    recipient TEXT    NOT NULL,                     -- the address that led here, detail and all
    octets    INTEGER NOT NULL,
    PRIMARY KEY (account, message)
) STRICT, WITHOUT ROWID;
CREATE INDEX entry_by_message ON entry (message);
