-- What became of each dead letter, so that an operator can find it, replay it once, or drop it.
--
-- A row stays when its letter is settled: the message may be read again, and its letter mustn't
-- come back for that.

alter table dead_letters
    -- For people and pages; later letters have higher ids.
    add column id bigint generated always as identity,
    -- Whether the payload is the whole message, and not an element of its array.
    add column whole boolean not null default false,
    -- The order that the payload names, if it names one.
    add column order_uid text collate "C",
    add column state text not null default 'open'
        check (state in ('open', 'replayed', 'dropped')),
    add column settled_at timestamptz,
    -- The message that the same order was saved from since: replaying would undo that one.
    add column overtaken_topic text,
    add column overtaken_partition integer,
    add column overtaken_offset bigint,
    add column overtaken_element bigint,
    -- When the letter is due for the topic of dead letters; null when that topic has it.
    add column publish_after timestamptz default now();

create unique index dead_letters_id on dead_letters (id);

-- Every saved batch asks whether it overtakes a letter, so only those that it can are in here.
create index dead_letters_open_orders on dead_letters (order_uid)
    where state = 'open' and order_uid is not null;

create index dead_letters_unpublished on dead_letters (id) where publish_after is not null;
