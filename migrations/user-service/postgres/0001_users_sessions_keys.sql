create table users (
    id             uuid        not null primary key,
    email          text        not null,
    -- The address as it is compared: in small letters.
    email_key      text        not null unique,
    email_verified boolean     not null default false,
    name           text        not null,
    -- PHC string format; none for somebody who has never had a password.
    password_hash  text,
    -- Names separated by one space.
    roles          text        not null,
    -- Raised by whatever takes this person's tokens back.
    epoch          bigint      not null default 0,
    disabled       boolean     not null default false,
    created_at     timestamptz not null,
    updated_at     timestamptz not null
);

create table sessions (
    id                 uuid        not null primary key,
    user_id            uuid        not null references users (id) on delete cascade,
    -- Of refresh tokens nothing rests here but hashes.
    family_hash        bytea       not null unique check (length(family_hash) = 32),
    token_hash         bytea       not null check (length(token_hash) = 32),
    previous_hash      bytea       check (length(previous_hash) = 32),
    -- What the present token was derived with from the previous one, and when.
    rotation_nonce     bytea       check (length(rotation_nonce) = 32),
    rotated_at         timestamptz,
    created_at         timestamptz not null,
    last_used_at       timestamptz not null,
    token_expires_at   timestamptz not null,
    expires_at         timestamptz not null,
    -- When the last access token that was given out for it ends: until then an end of the session has to be remembered.
    access_expires_at  timestamptz not null,
    ended_at           timestamptz
);

create index sessions_by_user on sessions (user_id);
create index sessions_by_end on sessions (access_expires_at) where ended_at is not null;

create table signing_keys (
    kid            text        not null primary key,
    state          text        not null check (state in ('next', 'active', 'retiring')),
    public_key     bytea       not null check (length(public_key) = 32),
    sealed_private bytea       not null,
    created_at     timestamptz not null,
    activated_at   timestamptz
);

create unique index signing_keys_next on signing_keys (state) where state = 'next';
create unique index signing_keys_active on signing_keys (state) where state = 'active';

create table server_secrets (
    name   text  not null primary key,
    sealed bytea not null
);
