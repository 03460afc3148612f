-- SQLite can't change a check, so the table is replaced.
create table new_signing_keys (
    kid            text not null primary key,
    algorithm      text not null check (algorithm in ('EdDSA', 'ES256')),
    state          text not null check (state in ('next', 'active', 'retiring')),
    -- An Ed25519 public key, or an uncompressed P-256 point (SEC 1, section 2.3.3).
    public_key     blob not null check (length(public_key) = case algorithm when 'EdDSA' then 32 else 65 end),
    sealed_private blob not null,
    created_at     text not null,
    activated_at   text,
    -- Of a retiring key: until when it is published.
    not_after      text check (not_after is null or state = 'retiring')
) strict;

insert into new_signing_keys (kid, algorithm, state, public_key, sealed_private, created_at, activated_at)
select kid, 'EdDSA', state, public_key, sealed_private, created_at, activated_at from signing_keys;

drop table signing_keys;
alter table new_signing_keys rename to signing_keys;

create unique index signing_keys_next on signing_keys (state) where state = 'next';
create unique index signing_keys_active on signing_keys (state) where state = 'active';
