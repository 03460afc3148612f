-- Accounts of OpenID providers that users log in with.
create table identities (
    id           blob not null primary key check (length(id) = 16),
    user_id      blob not null references users (id) on delete cascade,
    -- The name of the provider in the configuration.
    provider     text not null,
    issuer       text not null,
    subject      text not null,
    -- The address of the account at the provider, as of the last login.
    email        text,
    created_at   text not null,
    last_used_at text not null,
    unique (issuer, subject)
) strict;

create index identities_by_user on identities (user_id, id);

-- Logins at providers that were finished, until they expire, so that none is finished twice.
create table used_provider_logins (
    state_hash blob not null primary key check (length(state_hash) = 32),
    expires_at text not null
) strict;

-- The method can be the name of a provider. The constraints of a column can't be changed, so this is a new column.
alter table sessions rename column method to old_method;
alter table sessions add column method text not null default 'password';
update sessions set method = old_method;
alter table sessions drop column old_method;
