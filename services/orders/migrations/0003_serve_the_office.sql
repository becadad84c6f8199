-- What the staff look for: the begin of an e-mail, the begin or the end of an id, a time.
create index orders_of_email on orders (lower(email) text_pattern_ops);
create index orders_id_end on orders (reverse(id::text) text_pattern_ops);
create index orders_placed_at on orders (placed_at);
