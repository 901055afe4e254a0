-- An account looks for its few deliveries that failed among all that arrived.

CREATE INDEX webhook_deliveries_failed ON webhook_deliveries (account_id, id DESC)
    WHERE status = 'FAILED';
