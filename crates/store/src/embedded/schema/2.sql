-- A trace begins with Return-Path: the delivery into a mailbox is the final one (RFC 5321 §4.4).
UPDATE message SET trace =
    'Return-Path: ' || iif(reverse_path = '<>', '<>', '<' || reverse_path || '>') || char(13, 10) || trace;

-- What a reader with a list of the mailbox wants to know, repeated like octets.
ALTER TABLE entry ADD COLUMN trace_octets INTEGER NOT NULL DEFAULT 0;
ALTER TABLE entry ADD COLUMN received_at  INTEGER NOT NULL DEFAULT 0;
UPDATE entry SET (trace_octets, received_at) =
    (SELECT length(CAST(trace AS BLOB)), message.received_at FROM message WHERE message.id = entry.message);
