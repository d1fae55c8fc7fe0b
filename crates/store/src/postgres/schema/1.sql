-- An account, and after its end the hold on its address: then held_until says until when, and nothing else is of use.
CREATE SEQUENCE account_id;
CREATE TABLE account (
    id             BIGINT PRIMARY KEY DEFAULT nextval('account_id'), -- never used again
    key            TEXT   COLLATE "C" NOT NULL UNIQUE,               -- what the address is looked up by
    address        TEXT   NOT NULL,                                  -- as it was registered
    domain         TEXT   COLLATE "C" NOT NULL,
    number         BIGINT,                                           -- of a descriptor's address
    verifier       TEXT,                                             -- proves the password, if it has one
    node           BIGINT,                                           -- whose session it lives with, while it has none
    used_at        BIGINT NOT NULL,
    held_until     BIGINT,                                           -- null while the account lives
    octets         BIGINT NOT NULL DEFAULT 0,                        -- the sum over its entries
    messages       BIGINT NOT NULL DEFAULT 0,                        -- their count
    quota_octets   BIGINT,                                           -- null: what the server gives everybody
    quota_messages BIGINT
) WITH (fillfactor = 70);                                            -- the sums change with every message
CREATE INDEX account_by_number ON account (domain, number) WHERE number IS NOT NULL;
CREATE INDEX account_by_use    ON account (used_at)
    WHERE held_until IS NULL AND (number IS NOT NULL OR verifier IS NULL);
CREATE INDEX account_unclaimed ON account (node) WHERE held_until IS NULL AND verifier IS NULL;
CREATE INDEX account_by_hold   ON account (held_until) WHERE held_until IS NOT NULL;

-- A message, once for all its recipients. Its bytes are here while few, else in chunks.
CREATE SEQUENCE message_id;
CREATE TABLE message (
    id             BIGINT PRIMARY KEY,      -- grows in the order of delivery into each mailbox, never used again
    mailboxes      BIGINT NOT NULL,         -- how many have it; it goes with the last
    reverse_path   TEXT   NOT NULL,
    trace          TEXT   NOT NULL,
    received_at    BIGINT NOT NULL,
    octets         BIGINT NOT NULL,
    carried_octets BIGINT,                  -- of a binary message, those of the form that a reader by lines gets
    digest         BIGINT NOT NULL,         -- XXH3 of the bytes, as a signed number
    spool          BIGINT,                  -- whose chunks have the bytes
    body           BYTEA,
    CHECK ((spool IS NULL) <> (body IS NULL))
);

-- A message's place in one mailbox. What repeats the message is for listing a mailbox from one place.
CREATE TABLE entry (
    account        BIGINT NOT NULL,
    message        BIGINT NOT NULL,
    recipient      TEXT   NOT NULL,         -- the address that led here, detail and all
    octets         BIGINT NOT NULL,
    carried_octets BIGINT,
    trace_octets   BIGINT NOT NULL,
    received_at    BIGINT NOT NULL,
    PRIMARY KEY (account, message)
);

-- The bytes of a long body, in pieces.
CREATE TABLE chunk (
    spool  BIGINT NOT NULL,
    number BIGINT NOT NULL,                 -- from 0 on
    digest BIGINT NOT NULL,                 -- XXH3 of these bytes
    octets BYTEA  NOT NULL,
    PRIMARY KEY (spool, number)
);
-- Bodies that no message has: it has not come yet, or has gone while they may still be read. Their chunks are kept until then.
CREATE SEQUENCE spool_id;
CREATE TABLE spool (
    id         BIGINT PRIMARY KEY DEFAULT nextval('spool_id'),
    kept_until TIMESTAMPTZ NOT NULL
);

-- A server that runs on this database, from its start to its end.
CREATE SEQUENCE node_id;
CREATE TABLE node (
    id      BIGINT PRIMARY KEY DEFAULT nextval('node_id'),           -- never used again
    beat    BIGINT      NOT NULL DEFAULT 0,                          -- grows while it lives
    seen_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- How each transaction of late has ended, for those who did not hear it. What is not there has not ended well.
CREATE TABLE outcome (
    node    BIGINT      NOT NULL,
    number  BIGINT      NOT NULL,
    is_done BOOLEAN     NOT NULL,           -- false: it never can be any more
    made_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (node, number)
);
CREATE INDEX outcome_by_age ON outcome (made_at);

-- What the operator has set while a server ran.
CREATE TABLE setting (
    name  TEXT COLLATE "C" PRIMARY KEY,
    value TEXT NOT NULL
);

-- What lets its bearer register.
CREATE TABLE token (
    name    TEXT COLLATE "C" PRIMARY KEY,
    digest  BYTEA  NOT NULL,
    made_at BIGINT NOT NULL
);
