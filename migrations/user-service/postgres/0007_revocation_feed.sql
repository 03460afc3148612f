-- Also holds revoked signing keys, and announcements that the published keys have changed.
alter table revocations
    add column kid text,
    alter column id drop not null,
    drop constraint revocations_kind_check,
    -- key: a signing key is revoked. keys: the published keys have changed.
    add constraint revocations_kind_check check (kind in ('session', 'user', 'key', 'keys')),
    add constraint revocations_id_check check ((kind in ('session', 'user')) = (id is not null)),
    add constraint revocations_kid_check check ((kind = 'key') = (kid is not null));

-- The generations of the revocation feed. A restored database has an older list of them, which shows which events a reader has
-- that this database never had.
create table feed_generations (
    id         uuid        not null primary key,
    number     bigint      not null unique,
    -- The first sequence number of the generation. Lower ones belong to the generations before it.
    first_seq  bigint      not null,
    started_at timestamptz not null
);
