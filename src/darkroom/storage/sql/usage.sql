-- name: usage.add_task
-- Have a task counted that this transaction ended.
INSERT INTO usage_tasks_new (account_id, api_key_id, model, hour_at, code, step, charged_mill)
SELECT t.account_id, coalesce(b.api_key_id, ''), t.model, date_trunc('hour', t.finished_at, 'UTC'),
       coalesce(t.error_code, 0),
       CASE WHEN t.status = 'SUCCESS'
            THEN usage_step(extract(epoch FROM t.finished_at - t.started_at) * 1000) ELSE 0 END,
       t.charged_mill
  FROM tasks t JOIN batches b ON b.id = t.batch_id WHERE t.id = %(task_id)s;

-- name: usage.count_calls
-- Count new requests in their hours and days, a bounded number of rows at a time. Who does this at
-- the same moment takes other rows, and writes the counts in the same order.
WITH taken AS MATERIALIZED (
    DELETE FROM usage_calls_new WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM usage_calls_new LIMIT %(rows_max)s FOR UPDATE SKIP LOCKED))
    RETURNING account_id, api_key_id, hour_at, status, code, step, requests
), counted AS MATERIALIZED (
    SELECT account_id, span.hours, api_key_id, date_trunc(span.unit, hour_at, 'UTC') AS starts_at,
           status, code, step, sum(requests) AS requests
      FROM taken CROSS JOIN (VALUES (1, 'hour'), (24, 'day')) AS span (hours, unit)
     GROUP BY 1, 2, 3, 4, 5, 6, 7
), timed AS (
    INSERT INTO usage_latencies AS known (account_id, hours, api_key_id, starts_at, step, requests)
    SELECT account_id, hours, coalesce(api_key_id, '*'), starts_at, step, sum(requests)
      FROM counted
     GROUP BY GROUPING SETS ((account_id, hours, starts_at, step),
                             (account_id, hours, api_key_id, starts_at, step))
     ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (account_id, hours, api_key_id, starts_at, step)
    DO UPDATE SET requests = known.requests + excluded.requests
), called AS (
    INSERT INTO usage_calls AS known (account_id, hours, api_key_id, starts_at, status, code,
                                      requests)
    SELECT account_id, hours, api_key_id, starts_at, status, code, sum(requests) FROM counted
     GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6
    ON CONFLICT (account_id, hours, api_key_id, starts_at, status, code)
    DO UPDATE SET requests = known.requests + excluded.requests
)
SELECT count(*) AS total FROM taken;

-- name: usage.count_tasks
-- The same for ended tasks.
WITH taken AS MATERIALIZED (
    DELETE FROM usage_tasks_new WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM usage_tasks_new LIMIT %(rows_max)s FOR UPDATE SKIP LOCKED))
    RETURNING account_id, api_key_id, model, hour_at, code, step, charged_mill
), counted AS (
    INSERT INTO usage_tasks AS known (account_id, hours, api_key_id, model, starts_at, code, step,
                                      tasks, charged_mill)
    SELECT account_id, span.hours, api_key_id, model, date_trunc(span.unit, hour_at, 'UTC'), code,
           step, count(*), sum(charged_mill)
      FROM taken CROSS JOIN (VALUES (1, 'hour'), (24, 'day')) AS span (hours, unit)
     GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1, 2, 3, 4, 5, 6, 7
    ON CONFLICT (account_id, hours, api_key_id, model, starts_at, code, step)
    DO UPDATE SET tasks = known.tasks + excluded.tasks,
                  charged_mill = known.charged_mill + excluded.charged_mill
)
SELECT count(*) AS total FROM taken;

-- name: usage.starts
-- The begins of the last so many hours, or days (UTC), up to the present one.
SELECT date_trunc(unit, now(), 'UTC') - make_interval(hours => %(hours)s * back) AS at
  FROM (SELECT CASE %(hours)s::int WHEN 1 THEN 'hour' ELSE 'day' END AS unit) AS span,
       generate_series(%(count)s - 1, 0, -1) AS back;

-- name: usage.calls (caller)
-- An account's requests of the last so many hours or days, summed three ways: by time and outcome,
-- by status and code if refused, by key.
SELECT CASE WHEN grouping(outcome) = 0 THEN 'outcome' WHEN grouping(refused_code) = 0 THEN 'code'
            ELSE 'key' END AS summed_by,
       starts_at, outcome, refused_status, refused_code, api_key_id,
       sum(requests)::bigint AS requests,
       (sum(requests) FILTER (WHERE outcome <> 'well'))::bigint AS refused
  FROM (SELECT starts_at, api_key_id, requests,
               CASE WHEN status >= 500 THEN 'failed' WHEN status >= 400 OR code <> 0 THEN 'refused'
                    ELSE 'well' END AS outcome,
               CASE WHEN status >= 400 OR code <> 0 THEN status END AS refused_status,
               CASE WHEN status >= 400 OR code <> 0 THEN code END AS refused_code
          FROM usage_calls
         WHERE account_id = %(account_id)s AND hours = %(hours)s
           AND starts_at > now() - make_interval(hours => %(hours)s::int * %(count)s)
           AND (%(api_key_id)s::text IS NULL OR api_key_id = %(api_key_id)s)) AS counted
 GROUP BY GROUPING SETS ((starts_at, outcome), (refused_status, refused_code), (api_key_id));

-- name: usage.latencies (caller)
-- How many of an account's requests, or of one key's, fell into each step of durations: a row for
-- each time, since a row for each step would cost its reader more than all the rest.
SELECT starts_at, array_agg(step) AS steps, array_agg(requests) AS requests FROM usage_latencies
 WHERE account_id = %(account_id)s AND hours = %(hours)s
   AND api_key_id = coalesce(%(api_key_id)s, '*')
   AND starts_at > now() - make_interval(hours => %(hours)s::int * %(count)s)
 GROUP BY starts_at;

-- name: usage.tasks (caller)
-- An account's ended tasks of the last so many hours or days, summed four ways: by time,
-- model and success, by model and step if they succeeded, by code if they failed, by key. The sums
-- of one way and time are one row, for the same reason.
WITH counted AS (
    SELECT starts_at, code = 0 AS has_succeeded, model, api_key_id, tasks, charged_mill,
           CASE WHEN code = 0 THEN step END AS step, nullif(code, 0) AS failed_code
      FROM usage_tasks
     WHERE account_id = %(account_id)s AND hours = %(hours)s
       AND starts_at > now() - make_interval(hours => %(hours)s::int * %(count)s)
       AND (%(api_key_id)s::text IS NULL OR api_key_id = %(api_key_id)s)
       AND (%(model)s::text IS NULL OR model = %(model)s)
), summed AS (
    SELECT CASE WHEN grouping(has_succeeded) = 0 THEN 'outcome' WHEN grouping(step) = 0 THEN 'step'
                WHEN grouping(failed_code) = 0 THEN 'code' ELSE 'key' END AS summed_by,
           starts_at, has_succeeded, model, step, failed_code, api_key_id,
           sum(tasks)::bigint AS tasks, sum(charged_mill)::bigint AS charged_mill
      FROM counted
     GROUP BY GROUPING SETS ((starts_at, model, has_succeeded), (model, step), (failed_code),
                             (api_key_id))
)
SELECT summed_by, starts_at, array_agg(has_succeeded) AS has_succeeded, array_agg(model) AS models,
       array_agg(step) AS steps, array_agg(failed_code) AS failed_codes,
       array_agg(api_key_id) AS api_key_ids, array_agg(tasks) AS tasks,
       array_agg(charged_mill) AS charged_mill
  FROM summed GROUP BY summed_by, starts_at;

-- name: usage.forget_calls
-- Remove old counts of requests, a bounded number at a time: those of hours, and those of days.
WITH gone AS (
    DELETE FROM usage_calls WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM usage_calls
         WHERE (hours = 1 AND starts_at < now() - make_interval(days => %(hours_kept_days)s))
            OR (hours = 24 AND starts_at < now() - make_interval(days => %(days_kept_days)s))
         LIMIT %(rows_max)s))
    RETURNING 1
)
SELECT count(*) AS total FROM gone;

-- name: usage.forget_latencies
-- The same for their durations.
WITH gone AS (
    DELETE FROM usage_latencies WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM usage_latencies
         WHERE (hours = 1 AND starts_at < now() - make_interval(days => %(hours_kept_days)s))
            OR (hours = 24 AND starts_at < now() - make_interval(days => %(days_kept_days)s))
         LIMIT %(rows_max)s))
    RETURNING 1
)
SELECT count(*) AS total FROM gone;

-- name: usage.forget_tasks
-- The same for counts of tasks.
WITH gone AS (
    DELETE FROM usage_tasks WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM usage_tasks
         WHERE (hours = 1 AND starts_at < now() - make_interval(days => %(hours_kept_days)s))
            OR (hours = 24 AND starts_at < now() - make_interval(days => %(days_kept_days)s))
         LIMIT %(rows_max)s))
    RETURNING 1
)
SELECT count(*) AS total FROM gone;
