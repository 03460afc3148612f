-- Mails to send. A row has neither the text nor a token: the worker makes both when it sends the mail. A row stays for an hour after
-- the mail was sent, to limit the number of mails.
create table outbox (
    id              blob    not null primary key check (length(id) = 16),
    kind            text    not null
        check (kind in ('verify_email', 'reset_password', 'password_changed', 'new_sign_in', 'identity_linked')),
    -- The user who gets the mail. Null for a requested password reset: the worker finds the user by the address.
    user_id         blob    references users (id) on delete cascade,
    -- The address as it was typed, and its comparison key.
    address         text,
    address_key     text,
    -- When and where the act happened, in JSON.
    data            text    not null,
    created_at      text    not null,
    attempts        integer not null default 0,
    next_attempt_at text    not null,
    -- The worker that has the lease sends the mail. Null if no worker has a lease.
    lease           blob    check (length(lease) = 16),
    leased_until    text,
    sent_at         text,
    check ((lease is null) = (leased_until is null)),
    check ((user_id is null) = (address is not null)),
    check ((address is null) = (address_key is null))
) strict;

create index outbox_waiting on outbox (next_attempt_at) where sent_at is null;
create index outbox_by_user on outbox (user_id, kind);
create index outbox_sent on outbox (sent_at) where sent_at is not null;
-- Repeated requests share one mail that waits. A mail that a worker is sending does not count: the user gets another one.
create unique index outbox_one_reset on outbox (address_key) where sent_at is null and lease is null;
create unique index outbox_one_verification on outbox (user_id)
    where sent_at is null and lease is null and kind = 'verify_email';

-- The tokens in the links of mails. Only their hashes are stored.
create table mail_tokens (
    token_hash blob not null primary key check (length(token_hash) = 32),
    user_id    blob not null references users (id) on delete cascade,
    purpose    text not null check (purpose in ('verify_email', 'reset_password')),
    -- The comparison key of the address to which the mail was sent. The token is valid only while the user has this address.
    email_key  text not null,
    created_at text not null,
    expires_at text not null
) strict;

create index mail_tokens_by_user on mail_tokens (user_id, purpose, created_at);
create index mail_tokens_by_end on mail_tokens (expires_at);
