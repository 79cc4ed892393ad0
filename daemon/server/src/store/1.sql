CREATE TABLE datasets (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL);
CREATE TABLE concepts (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL,
    name TEXT, stem TEXT UNIQUE, job TEXT UNIQUE
);
CREATE INDEX concepts_by_name ON concepts (name);
CREATE TABLE jobs (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL, stem TEXT UNIQUE);
CREATE TABLE creations (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL);
CREATE TABLE checkpoints (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL);
-- What waits or runs, in either table.
CREATE TABLE queue (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, state TEXT NOT NULL, priority INTEGER NOT NULL, place REAL NOT NULL
);
CREATE INDEX queue_order ON queue (state, priority DESC, place);
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT, job TEXT NOT NULL, at_ms INTEGER NOT NULL, body TEXT NOT NULL
);
CREATE INDEX events_of_job ON events (job, id);
CREATE TABLE requests (key TEXT PRIMARY KEY, body_sha256 TEXT NOT NULL, made TEXT NOT NULL, at_ms INTEGER NOT NULL);
-- Seconds of training for a picture, by base and size, as measured by the last job.
CREATE TABLE speeds (setting TEXT PRIMARY KEY, seconds REAL NOT NULL);
