create table users (
    id             blob    not null primary key check (length(id) = 16),
    email          text    not null,
    -- The address as it is compared: in small letters.
    email_key      text    not null unique,
    email_verified integer not null default 0 check (email_verified in (0, 1)),
    name           text    not null,
    -- PHC string format; none for somebody who has never had a password.
    password_hash  text,
    -- Names separated by one space.
    roles          text    not null,
    -- Raised by whatever takes this person's tokens back.
    epoch          integer not null default 0,
    disabled       integer not null default 0 check (disabled in (0, 1)),
    created_at     text    not null,
    updated_at     text    not null
) strict;

create table sessions (
    id                 blob not null primary key check (length(id) = 16),
    user_id            blob not null references users (id) on delete cascade,
    -- Of refresh tokens nothing rests here but hashes.
    family_hash        blob not null unique check (length(family_hash) = 32),
    token_hash         blob not null check (length(token_hash) = 32),
    previous_hash      blob check (length(previous_hash) = 32),
    -- What the present token was derived with from the previous one, and when.
    rotation_nonce     blob check (length(rotation_nonce) = 32),
    rotated_at         text,
    created_at         text not null,
    last_used_at       text not null,
    token_expires_at   text not null,
    expires_at         text not null,
    -- When the last access token that was given out for it ends: until then an end of the session has to be remembered.
    access_expires_at  text not null,
    ended_at           text
) strict;

create index sessions_by_user on sessions (user_id);
create index sessions_by_end on sessions (access_expires_at) where ended_at is not null;

create table signing_keys (
    kid            text not null primary key,
    state          text not null check (state in ('next', 'active', 'retiring')),
    public_key     blob not null check (length(public_key) = 32),
    sealed_private blob not null,
    created_at     text not null,
    activated_at   text
) strict;

create unique index signing_keys_next on signing_keys (state) where state = 'next';
create unique index signing_keys_active on signing_keys (state) where state = 'active';

create table server_secrets (
    name   text not null primary key,
    sealed blob not null
) strict;
