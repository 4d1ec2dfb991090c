-- Orders in four normalised tables, and beside them what makes saving them idempotent: the
-- positions of the partitions and the dead letters.
--
-- Lengths are those of the lenient rules in bytes, so that nothing the validation takes is refused
-- here. Ids are compared byte by byte (collation "C"): they are ASCII, and the order in which rows
-- are locked must not depend on the language of the database.

-- Arrival numbers, drawn in message order. A number may be skipped, and none is given twice.
create sequence orders_arrival as bigint;

create table orders (
    order_uid          text collate "C" primary key check (octet_length(order_uid) between 1 and 64),
    track_number       text not null check (octet_length(track_number) <= 1024),
    entry              text not null check (octet_length(entry) <= 1024),
    locale             text not null check (octet_length(locale) <= 1024),
    internal_signature text not null check (octet_length(internal_signature) <= 1024),
    customer_id        text not null check (octet_length(customer_id) <= 1024),
    delivery_service   text not null check (octet_length(delivery_service) <= 1024),
    shardkey           text not null check (octet_length(shardkey) <= 1024),
    sm_id              bigint not null,
    date_created       timestamptz not null,
    oof_shard          text not null check (octet_length(oof_shard) <= 1024),
    -- Highest is newest. Kept when the order is replaced.
    arrival            bigint not null,
    -- SHA-256 of the canonical JSON form: equal digests are equal orders.
    digest             bytea not null check (octet_length(digest) = 32)
);

-- Unique, and the way to the newest orders: lists, cursors and the warm-up read it from its start.
create unique index orders_arrival_desc on orders (arrival desc);

create table deliveries (
    order_uid text collate "C" primary key references orders on delete cascade,
    name      text not null check (octet_length(name) <= 1024),
    phone     text not null check (octet_length(phone) <= 1024),
    zip       text not null check (octet_length(zip) <= 1024),
    city      text not null check (octet_length(city) <= 1024),
    address   text not null check (octet_length(address) <= 1024),
    region    text not null check (octet_length(region) <= 1024),
    email     text not null check (octet_length(email) <= 1024)
);

create table payments (
    order_uid     text collate "C" primary key references orders on delete cascade,
    transaction   text not null check (octet_length(transaction) <= 1024),
    request_id    text not null check (octet_length(request_id) <= 1024),
    currency      text not null check (octet_length(currency) <= 1024),
    provider      text not null check (octet_length(provider) <= 1024),
    amount        bigint not null,
    payment_dt    bigint not null,
    bank          text not null check (octet_length(bank) <= 1024),
    delivery_cost bigint not null,
    goods_total   bigint not null,
    custom_fee    bigint not null
);

-- The primary key is also the index on items(order_uid): its first column is order_uid, so a second
-- index on that column alone would only cost every write.
create table items (
    order_uid    text collate "C" not null references orders on delete cascade,
    -- The place in the order, from 0. Neither track numbers nor rids are unique.
    position     integer not null check (position >= 0),
    chrt_id      bigint not null,
    track_number text not null check (octet_length(track_number) <= 1024),
    price        bigint not null,
    rid          text not null check (octet_length(rid) <= 1024),
    name         text not null check (octet_length(name) <= 1024),
    sale         bigint not null,
    size         text not null check (octet_length(size) <= 1024),
    total_price  bigint not null,
    nm_id        bigint not null,
    brand        text not null check (octet_length(brand) <= 1024),
    status       bigint not null,
    primary key (order_uid, position)
);

-- How far each group has saved each partition: moved in the transaction that saves the orders, by
-- comparing with the position that the writer believes in.
create table positions (
    consumer_group text not null,
    topic          text not null,
    partition      integer not null,
    next_offset    bigint not null check (next_offset >= 0),
    primary key (consumer_group, topic, partition)
);

-- What can't be saved as an order, with the reason: once for each element of a message.
create table dead_letters (
    topic       text not null,
    partition   integer not null,
    "offset"    bigint not null,
    -- The element's number within its message, from 0.
    element     bigint not null,
    code        text not null,
    reason      text not null,
    payload     bytea not null,
    received_at timestamptz not null default now(),
    primary key (topic, partition, "offset", element)
);
