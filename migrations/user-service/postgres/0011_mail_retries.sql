-- The mail in whose link the token is. A mail that is tried again has several tokens. No reference: the token outlives the mail. Null in
-- rows of an earlier version.
alter table mail_tokens add column mail_id uuid;

-- Requested password resets by address, also those that are being sent. `outbox_one_reset` has only those that no worker has leased.
create index outbox_by_address on outbox (address_key) where sent_at is null and address_key is not null;

-- In the order in which workers lease mails, so that no mails of the same moment are sorted.
drop index outbox_waiting;
create index outbox_waiting on outbox (next_attempt_at, id) where sent_at is null;
