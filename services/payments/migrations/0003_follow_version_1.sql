-- Version 1 says what became of a payment in `status` alone, and goes on while it is replaced: what
-- it writes then is read as 0002 read what it had written before. Nothing newer writes `status`, so
-- this goes with that column.
create function follow_status() returns trigger language plpgsql as $$
  begin
    if new.phase = 'open' then
      new.phase := case when new.status = 'cancelled' then 'ended' else 'captured' end;
    end if;
    new.is_closed := new.is_closed or new.status in ('cancelled', 'refunded');
    if new.status in ('paid', 'refunded') then
      new.captured_minor := coalesce(new.amount_minor, new.captured_minor);
    end if;
    if new.status = 'refunded' and new.refund_id is not null and new.refunds = '[]' then
      new.refunds := jsonb_build_array(jsonb_build_object(
        'id', null, 'providerId', new.refund_id, 'amountMinor', new.amount_minor,
        'phase', 'succeeded', 'reason', null));
    end if;
    new.revision := greatest(new.revision, 1);
    new.settled_revision := greatest(new.settled_revision, 1);
    return new;
  end
$$;
create trigger payments_follow_status before insert or update of status on payments
  for each row when (new.status in ('paid', 'cancelled', 'refunded'))
  execute function follow_status();
