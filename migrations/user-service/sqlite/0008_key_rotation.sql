-- A requested rotation, which waits until every verifier holds the next key. It is stored in the row of that key, so that it ends
-- when the key becomes active or is deleted.
alter table signing_keys add column rotation_requested_at text
    check (rotation_requested_at is null or state = 'next');
alter table signing_keys add column rotation_reason text
    check (rotation_reason in ('scheduled', 'by_hand'))
    check ((rotation_reason is null) = (rotation_requested_at is null));
-- The admin who requested it. No reference: the request outlives the user.
alter table signing_keys add column rotation_requested_by blob check (length(rotation_requested_by) = 16);

-- One row, which a transaction locks before it changes the signing keys.
create table signing_key_guard (
    one     integer not null primary key check (one = 1),
    changes integer not null
) strict;

insert into signing_key_guard (one, changes) values (1, 0);

-- The verifiers that follow the revocation feed. A row that is not renewed expires.
create table verifiers (
    service  text not null,
    instance blob not null check (length(instance) = 16),
    -- The ids of the signing keys that the verifier holds, separated by line feeds. Empty before its first report.
    kids     text not null,
    seen_at  text not null,
    primary key (service, instance)
) strict;
