-- Tasks that their owner deletes: the row stays for the books, the bytes of its results go.

ALTER TABLE tasks
    ADD COLUMN deleted_at timestamptz,
    ADD CONSTRAINT tasks_deleted_have_ended
        CHECK (deleted_at IS NULL OR status IN ('SUCCESS', 'FAILED'));
ALTER TABLE assets
    ADD COLUMN deleted_at timestamptz,
    -- When its bytes were seen to be gone; until then the sweep removes them again.
    ADD COLUMN removed_at timestamptz,
    ADD CONSTRAINT assets_removed_were_deleted CHECK (removed_at IS NULL OR deleted_at IS NOT NULL);
CREATE INDEX assets_leftover ON assets (deleted_at)
    WHERE deleted_at IS NOT NULL AND removed_at IS NULL;
