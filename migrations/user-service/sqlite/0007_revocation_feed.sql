-- Also holds revoked signing keys, and announcements that the published keys have changed. The constraints of a table can't be
-- changed, so this is a new table.
create table revocations_with_keys (
    -- In the order in which the rows became visible.
    seq        integer not null primary key,
    -- key: a signing key is revoked. keys: the published keys have changed.
    kind       text    not null check (kind in ('session', 'user', 'key', 'keys')),
    id         blob    check (length(id) = 16) check ((kind in ('session', 'user')) = (id is not null)),
    -- Of a user's tokens, those of an earlier epoch are revoked.
    epoch      integer check ((kind = 'user') = (epoch is not null)),
    kid        text    check ((kind = 'key') = (kid is not null)),
    expires_at text    not null
) strict;

insert into revocations_with_keys (seq, kind, id, epoch, expires_at)
select seq, kind, id, epoch, expires_at from revocations;

drop table revocations;
alter table revocations_with_keys rename to revocations;
create index revocations_by_end on revocations (expires_at);

-- The generations of the revocation feed. A restored database has an older list of them, which shows which events a reader has
-- that this database never had.
create table feed_generations (
    id         blob    not null primary key check (length(id) = 16),
    number     integer not null unique,
    -- The first sequence number of the generation. Lower ones belong to the generations before it.
    first_seq  integer not null,
    started_at text    not null
) strict;
