-- How full a mailbox is, and may be.
ALTER TABLE account ADD COLUMN messages       INTEGER NOT NULL DEFAULT 0;  -- the count of its entries
ALTER TABLE account ADD COLUMN quota_octets   INTEGER;                     -- null: what the server gives everybody
ALTER TABLE account ADD COLUMN quota_messages INTEGER;
UPDATE account SET messages = (SELECT count(*) FROM entry WHERE entry.account = account.id);

-- Of a binary message the octets of the form that a reader by lines gets; null for text. In entry repeated like octets.
ALTER TABLE message ADD COLUMN carried_octets INTEGER;
ALTER TABLE entry   ADD COLUMN carried_octets INTEGER;

-- What the operator has set while the server ran.
CREATE TABLE setting (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

-- What lets its bearer register.
CREATE TABLE token (
    name    TEXT    NOT NULL PRIMARY KEY,
    digest  BLOB    NOT NULL,
    made_at INTEGER NOT NULL
) STRICT;
