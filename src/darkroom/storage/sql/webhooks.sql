-- name: webhooks.announce
-- A delivery of each of these events of these tasks to each address that wants to hear of it: that
-- of the submit, and the endpoints of the account. The daemons are woken when this commits.
WITH wanted AS (
    SELECT DISTINCT ON (t.id, told.event, heard.url)
           t.id AS task_id, t.account_id, told.event, heard.url, heard.endpoint_id
      FROM tasks t JOIN batches b ON b.id = t.batch_id
     CROSS JOIN unnest(%(events)s::text[]) AS told (event)
     CROSS JOIN LATERAL (
           SELECT b.webhook_url AS url, NULL AS endpoint_id
            WHERE b.webhook_url IS NOT NULL AND told.event = ANY(b.webhook_events)
            UNION ALL
           SELECT e.url, e.id FROM webhook_endpoints e
            WHERE e.account_id = t.account_id AND e.disabled_at IS NULL
              AND (e.listens_until > now() OR e.listens_until IS NULL)
              AND told.event = ANY(e.events)) AS heard
     WHERE t.id = ANY(%(task_ids)s::text[])
     ORDER BY t.id, told.event, heard.url, heard.endpoint_id NULLS FIRST
), made AS (
    INSERT INTO webhook_deliveries (id, account_id, task_id, endpoint_id, url, type, expires_at)
    SELECT %(id)s || CASE WHEN nth > 1 THEN '_' || nth ELSE '' END, account_id, task_id,
           endpoint_id, url, 'task.' || event, now() + make_interval(secs => %(seconds_max)s)
      FROM (SELECT wanted.*, row_number() OVER () AS nth FROM wanted) AS numbered
    ON CONFLICT DO NOTHING
    RETURNING 1
)
SELECT pg_notify('deliveries', '') WHERE EXISTS (SELECT 1 FROM made);
