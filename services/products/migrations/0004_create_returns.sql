-- What came back of a sale: a cancellation afterwards returns only the rest.
alter table reservation_lines
  add column returned integer not null default 0 check (returned between 0 and quantity);
