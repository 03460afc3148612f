-- Accounts of OpenID providers that users log in with.
create table identities (
    id           uuid        not null primary key,
    user_id      uuid        not null references users (id) on delete cascade,
    -- The name of the provider in the configuration.
    provider     text        not null,
    issuer       text        not null,
    subject      text        not null,
    -- The address of the account at the provider, as of the last login.
    email        text,
    created_at   timestamptz not null,
    last_used_at timestamptz not null,
    unique (issuer, subject)
);

create index identities_by_user on identities (user_id, id);

-- Logins at providers that were finished, until they expire, so that none is finished twice.
create table used_provider_logins (
    state_hash bytea       not null primary key check (length(state_hash) = 32),
    expires_at timestamptz not null
);

-- How the user authenticated: `password`, or the name of a provider.
alter table sessions drop constraint sessions_method_check;
