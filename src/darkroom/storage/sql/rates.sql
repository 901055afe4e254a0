-- name: rates.publish
-- Append every rate that differs from the one in force of its model and kind.
INSERT INTO rates (model, kind, unit, mill, input_mill)
SELECT asked.model, asked.kind, asked.unit, asked.mill, asked.input_mill
  FROM unnest(%(models)s::text[], %(kinds)s::text[], %(units)s::text[], %(mills)s::bigint[],
              %(input_mills)s::bigint[]) AS asked (model, kind, unit, mill, input_mill)
  LEFT JOIN LATERAL (SELECT unit, mill, input_mill FROM rates
                      WHERE rates.model = asked.model AND rates.kind = asked.kind
                        AND effective_at <= now()
                      ORDER BY effective_at DESC, id DESC LIMIT 1) latest ON true
 WHERE (latest.unit, latest.mill, latest.input_mill)
       IS DISTINCT FROM (asked.unit, asked.mill, asked.input_mill);

-- name: rates.schedule
-- Append rates that are in force from an instant on, now when it is null: even one that changes
-- nothing today, for an earlier one may still come before it.
INSERT INTO rates (model, kind, unit, mill, input_mill, effective_at)
SELECT model, kind, unit, mill, input_mill, coalesce(%(effective_at)s::timestamptz, now())
  FROM unnest(%(models)s::text[], %(kinds)s::text[], %(units)s::text[], %(mills)s::bigint[],
              %(input_mills)s::bigint[]) AS asked (model, kind, unit, mill, input_mill);

-- name: rates.latest
-- The rate in force of every model and kind.
SELECT DISTINCT ON (model, kind) id, model, kind, unit, mill, input_mill, effective_at
  FROM rates WHERE effective_at <= now() ORDER BY model, kind, effective_at DESC, id DESC;

-- name: rates.of_model
-- The rates of a model, those to come included, the last first.
SELECT id, model, kind, unit, mill, input_mill, effective_at
  FROM rates WHERE model = %(model)s ORDER BY effective_at DESC, id DESC LIMIT %(rows_max)s;

-- name: rates.pinned
-- The rate that a task was submitted at.
SELECT r.id, r.model, r.kind, r.unit, r.mill, r.input_mill, r.effective_at
  FROM tasks t JOIN batches b ON b.id = t.batch_id JOIN rates r ON r.id = b.rate_id
 WHERE t.id = %(task_id)s;
