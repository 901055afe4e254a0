-- Eight looks at other rows for each submit, less: what these references name was inserted by the
-- same transaction, or is a row that nothing deletes (accounts are held by their lanes and keys,
-- rates are append-only, keys are revoked). Each look cost a query and a row lock, and the locks on
-- the one row of a rate made groups of submits meet. The audit proves the same over all rows.

ALTER TABLE holds DROP CONSTRAINT holds_account_id_fkey;
ALTER TABLE ledger_entries
    DROP CONSTRAINT ledger_entries_account_id_fkey,
    DROP CONSTRAINT ledger_entries_hold_id_fkey;
ALTER TABLE batches
    DROP CONSTRAINT batches_account_id_fkey,
    DROP CONSTRAINT batches_api_key_id_fkey,
    DROP CONSTRAINT batches_rate_id_fkey;
ALTER TABLE tasks
    DROP CONSTRAINT tasks_batch_id_fkey,
    DROP CONSTRAINT tasks_account_id_fkey;
-- No statement reads open holds by account but the audit, which reads all of them.
DROP INDEX holds_open;
