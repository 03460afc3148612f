create table clients (
    name        text        not null primary key,
    -- SHA-256 of a secret that is too long to be guessed.
    secret_hash bytea       not null check (length(secret_hash) = 32),
    updated_at  timestamptz not null
);
