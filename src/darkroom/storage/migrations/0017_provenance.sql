-- Where files come from: the certificate that signs them, and how a file is found again without it.

-- The instance's own, made once for all processes; `chain` is PEM, the root last.
CREATE TABLE certificates (
    id          smallint PRIMARY KEY CHECK (id = 1),
    chain       text NOT NULL,
    private     text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);

-- Whether what an account makes is signed, and known again by what it looks like.
ALTER TABLE accounts ADD COLUMN has_provenance boolean NOT NULL DEFAULT true;

-- 64 bits of how a picture looks; null for what is no picture, is flat, or was brought.
ALTER TABLE assets ADD COLUMN likeness bigint;
CREATE INDEX assets_sha256 ON assets (sha256) WHERE task_id IS NOT NULL;
-- Its four bands, each of which leads to the pictures that have the same one.
CREATE INDEX assets_likeness_0 ON assets ((likeness & 65535)) WHERE likeness IS NOT NULL;
CREATE INDEX assets_likeness_1 ON assets ((likeness >> 16 & 65535)) WHERE likeness IS NOT NULL;
CREATE INDEX assets_likeness_2 ON assets ((likeness >> 32 & 65535)) WHERE likeness IS NOT NULL;
CREATE INDEX assets_likeness_3 ON assets ((likeness >> 48 & 65535)) WHERE likeness IS NOT NULL;
