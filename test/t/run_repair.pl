# copy_incremental_repair(): after it both sides are equal, and only rows that differ were written.
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use TwoServers;
use Test::More;

my ($source, $destination) = start_servers(source => "log_statement = 'all'\n");
my $columns = 'id int PRIMARY KEY, at timestamptz NOT NULL, note text, n numeric(9,2)';
on_both("CREATE TABLE users ($columns)", $source, $destination);
$source->safe_psql('postgres', <<~'SQL');
	INSERT INTO users SELECT g, timestamptz '2024-01-01 00:00+00' + (g % 3) * interval '1 day' + g * interval '1 second', 'note ' || g, g
	  FROM generate_series(1, 3000) AS g;
	SQL
$destination->safe_psql('postgres', "ALTER DATABASE postgres SET TimeZone = 'UTC'");

sub job { my ($name, %argument) = @_; return define_job($name, delete $argument{query} // 'SELECT * FROM users', first_day => "'2024-01-01'", window_column => "'at'", %argument); }
sub repair
{
	my ($job, %with) = @_;
	my ($first, $last) = ($with{first} // '2024-01-01', $with{last} // '2024-01-03');
	my $deletes = $with{deletes} ? ", deletes => '$with{deletes}'" : '';
	return "SELECT day, inserted, updated, deleted, compared FROM copy_incremental_repair('$job', '$first', '$last'$deletes)";
}
sub runs { my ($job, %with) = @_; return one_line_of($destination->safe_psql('postgres', repair($job, %with))); }
sub one_line_of { my ($text) = @_; return join ' ', map { s/^2024-01-0//r } split /\n/, $text; }
sub are_equal
{
	my ($table, $name) = @_;
	my ($theirs, $ours) = map { $_->safe_psql('postgres', "SELECT t::text FROM $table AS t ORDER BY 1") } $source, $destination;
	return ok($theirs eq $ours && $theirs ne '', $name);
}

for my $mode ('append', 'replace', 'upsert')
{
	$destination->safe_psql('postgres', 'TRUNCATE users; ' . job($mode, mode => "'$mode'"));
	is(runs($mode), '1|1000|0|0|1000 2|1000|0|0|1000 3|1000|0|0|1000', "$mode: an empty target gets all rows");
	is(runs($mode), '1|0|0|0|1000 2|0|0|0|1000 3|0|0|0|1000', "$mode: equal rows are not written");
	is($destination->safe_psql('postgres', "SELECT covered FROM copy_incremental_jobs WHERE job = '$mode'"),
		'{["2024-01-01 00:00:00+00","2024-01-04 00:00:00+00")}', "$mode: its windows are covered");
	is($destination->safe_psql('postgres', "SELECT DISTINCT mode, method, status, settled, source_rows, rows_read FROM copy_incremental_runs WHERE job = '$mode' AND rows_written = 0"),
		'repair|cursor|succeeded|t|1000|0', "$mode: and its runs are recorded");
	my $damage = <<~'SQL';
		UPDATE users SET note = 'changed' WHERE id IN (3, 4, 5);
		DELETE FROM users WHERE id IN (30, 31);
		INSERT INTO users VALUES (0, '2024-01-01 12:00', 'extra', 0), (-1, '2024-01-03 12:00', 'extra', 0);
		SQL
	$destination->safe_psql('postgres', $damage);
	is(runs($mode, deletes => 'ignore'), '1|1|1|0|1000 2|1|1|0|1000 3|0|1|0|1000', "$mode: what the source does not have stays, deletes => 'ignore'");
	is($destination->safe_psql('postgres', 'SELECT count(*) FROM users WHERE id < 1'), 2, "$mode: two rows");
	is(runs($mode), '1|0|0|1|1000 2|0|0|0|1000 3|0|0|1|1000', "$mode: and goes with deletes => 'apply'");
	are_equal('users', "$mode: both sides are equal");
	$destination->safe_psql('postgres', $damage);
	is(runs($mode), '1|1|1|1|1000 2|1|1|0|1000 3|0|1|1|1000', "$mode: all at once");
	is($destination->safe_psql('postgres', "SELECT matches FROM copy_incremental_verify('$mode', '2024-01-01')"), 't', "$mode: verify agrees");
}

# --- the day in the query: without replace_where, the query itself finds the rows of the target
for my $case ([ 'parameters', 'SELECT * FROM users WHERE at >= $1 AND at < $2', lookback => 1 ], [ 'a placeholder', "SELECT * FROM users WHERE at::date = date '{}'" ])
{
	my ($name, $query, @more) = @$case;
	$destination->safe_psql('postgres', define_job('day', $query, mode => "'upsert'", first_day => "'2024-01-01'", @more));
	$destination->safe_psql('postgres', "UPDATE users SET note = 'x' WHERE id IN (4, 5); DELETE FROM users WHERE id = 7; INSERT INTO users VALUES (0, '2024-01-02 12:00', 'extra')");
	is(runs('day', last => '2024-01-02'), '1|0|0|0|1000 2|1|1|1|1000', "$name: the windows are repaired, without lookback");
	is($destination->safe_psql('postgres', 'SELECT count(*) FROM users'), 3000, "$name: rows of other windows stay");
	runs('day');
	are_equal('users', "$name: equal");
}

# --- only what differs is fetched and written
$destination->safe_psql('postgres', "UPDATE users SET note = 'changed' WHERE id % 300 = 0");
my $places = "SELECT string_agg(ctid::text, ' ' ORDER BY id) FROM users WHERE id % 300 <> 0";
my $before = $destination->safe_psql('postgres', $places);
is(runs('upsert'), '1|0|10|0|1000 2|0|0|0|1000 3|0|0|0|1000', 'ten rows differ');
is($destination->safe_psql('postgres', "SELECT rows_read, rows_written, rows_deleted FROM copy_incremental_runs WHERE mode = 'repair' AND rows_written > 0 ORDER BY run_id DESC LIMIT 1"), '10|10|0', 'ten were fetched');
is($destination->safe_psql('postgres', $places), $before, 'the others were not touched');

# --- rows that the source has moved to another window
for my $mode ('upsert', 'replace')
{
	for my $deletes ('apply', 'ignore')
	{
		$source->safe_psql('postgres', "UPDATE users SET at = at + CASE WHEN at < '2024-01-02' THEN interval '2 days' ELSE -interval '1 day' END WHERE id IN (10, 11, 12, 13)");
		my $said = runs($mode, deletes => $deletes);
		are_equal('users', "$mode, deletes => '$deletes': rows that moved between windows, $said");
	}
}

# --- one transaction for all windows: the later one fails, and nothing is repaired
$destination->safe_psql('postgres', "DELETE FROM users WHERE id IN (21, 22, 23); ALTER TABLE users ADD CONSTRAINT no CHECK (id <> 23)");
fails_with($destination, repair('upsert'), '23514', qr/"no".*CONTEXT:.*copying 2024-01-03 into public.users, batch 1/s, 'a row that the target refuses');
is($destination->safe_psql('postgres', 'SELECT count(*) FROM users WHERE id IN (21, 22, 23)'), 0, 'nothing of any window is written');
$destination->safe_psql('postgres', 'ALTER TABLE users DROP CONSTRAINT no');
is(runs('upsert', first => '2024-01-02', last => '2024-01-02'), '2|1|0|0|999', 'a single window');
runs('upsert');

# --- triggers of the target fire for what is written, and once for the statement
$destination->safe_psql('postgres', <<~'SQL');
	CREATE TABLE seen (what text);
	CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
	  'BEGIN INSERT INTO seen VALUES (TG_OP || '' '' || CASE TG_LEVEL WHEN ''ROW'' THEN coalesce(NEW.id, OLD.id)::text ELSE ''statement'' END); RETURN NULL; END';
	CREATE TRIGGER row_noted AFTER INSERT OR UPDATE OR DELETE ON users FOR EACH ROW EXECUTE FUNCTION note();
	SQL
$destination->safe_psql('postgres', "SET session_replication_role = replica; UPDATE users SET note = 'x' WHERE id = 3; DELETE FROM users WHERE id = 6; INSERT INTO users VALUES (0, '2024-01-01', 'extra')");
is(runs('upsert'), '1|1|1|1|1001 2|0|0|0|999 3|0|0|0|1000', 'triggers: one of each');
is(join(' ', sort split /\n/, $destination->safe_psql('postgres', 'SELECT what FROM seen')), 'DELETE 0 INSERT 6 UPDATE 3', 'triggers: fire for these rows only');
$destination->safe_psql('postgres', q[DROP TRIGGER row_noted ON users; CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
	CREATE TRIGGER keeper BEFORE DELETE ON users FOR EACH ROW EXECUTE FUNCTION keep(); INSERT INTO users VALUES (0, '2024-01-01', 'extra')]);
fails_with($destination, repair('upsert'), '22000', qr/1 row of public.users could not be deleted/, 'a trigger that keeps an extra row');
is(runs('upsert', deletes => 'ignore'), '1|0|0|0|1001 2|0|0|0|999 3|0|0|0|1000', "which deletes => 'ignore' accepts");
$destination->safe_psql('postgres', q[CREATE OR REPLACE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''kept''; END']);
unlike(fails_with($destination, repair('upsert'), 'P0001', qr/kept/, 'a trigger that raises an error'), qr/DELETE FROM/, 'whose CONTEXT does not show the statement with all keys');
$destination->safe_psql('postgres', 'DROP TRIGGER keeper ON users; DELETE FROM users WHERE id = 0');

# --- references between rows of the table: a parent that is gone, and its child that has another one
on_both('CREATE TABLE staff (id int PRIMARY KEY, at timestamptz NOT NULL, boss int REFERENCES staff)', $source, $destination);
$source->safe_psql('postgres', "INSERT INTO staff VALUES (1, '2024-01-01', NULL), (2, '2024-01-01', 1), (3, '2024-01-01', 2)");
$destination->safe_psql('postgres', job('staff', query => 'SELECT * FROM staff', mode => "'upsert'"));
is(runs('staff', last => '2024-01-01'), '1|3|0|0|3', 'references: loaded');
$source->safe_psql('postgres', 'UPDATE staff SET boss = 1 WHERE id = 3; DELETE FROM staff WHERE id = 2');
is(runs('staff', last => '2024-01-01'), '1|0|1|1|2', 'references: a parent is deleted, its child has another one');
are_equal('staff', 'references: equal');

# --- without a key: rows are compared as a whole, and as many equal ones as the source has
on_both('CREATE TABLE events (at timestamptz NOT NULL, what text, f float8, j json)', $source, $destination);
$source->safe_psql('postgres', q[INSERT INTO events SELECT timestamptz '2024-01-01' + (g % 5) * interval '1 hour', 'event ' || g % 7, g % 3 / 3.0, '{"a": 1}' FROM generate_series(1, 200) AS g]);
for my $mode ('append', 'replace')
{
	$destination->safe_psql('postgres', 'TRUNCATE events; ' . job("events_$mode", query => 'SELECT * FROM events', mode => "'$mode'"));
	my @day = ("events_$mode", last => '2024-01-01');
	is(runs(@day), '1|200|0|0|200', "no key, $mode: all rows");
	is(runs(@day), '1|0|0|0|200', "no key, $mode: equal");
	$destination->safe_psql('postgres', "DELETE FROM events WHERE ctid = (SELECT min(ctid) FROM events WHERE what = 'event 1')");
	my $ignored = runs(@day, deletes => 'ignore');
	are_equal('events', "no key, $mode: a copy of a row is missing, $ignored");
	$destination->safe_psql('postgres', "INSERT INTO events SELECT * FROM events WHERE what = 'event 2' LIMIT 1; UPDATE events SET f = f + 1e-9 WHERE ctid = (SELECT min(ctid) FROM events WHERE what = 'event 3')");
	my $applied = runs(@day);
	are_equal('events', "no key, $mode: one copy too many, and one changed, $applied");
}

# --- what cannot be repaired
for my $case (
	[ 'transform', job('no', mode => "'upsert'", transform => "'SELECT * FROM batch'"), '0A000', qr/has a transform, so it cannot be repaired/ ],
	[ 'mode skip', job('no', mode => "'skip'"), '0A000', qr/has mode skip, so it cannot be repaired/ ],
	[ 'no key and no condition', define_job('no', 'SELECT * FROM events WHERE at >= $1 AND at < $2', first_day => "'2024-01-01'"), '0A000', qr/target public.events has no key to repair its rows by/ ],
	[ 'a key twice at the source', job('no', query => 'SELECT * FROM users UNION ALL SELECT * FROM users WHERE id = 3', target => "'users'", mode => "'upsert'"), '21000', qr/source has more than one row of a key of public.users.*DETAIL:  The key is \{"id": "3"\}/s ],
	[ 'an unknown word', "SELECT 1; SELECT * FROM copy_incremental_repair('upsert', '2024-01-01', '2024-01-01', 'maybe')", '22023', qr/invalid value for argument "deletes": "maybe"/ ])
{
	my ($name, $define, $sqlstate, $error) = @$case;
	fails_with($destination, "$define; " . repair('no'), $sqlstate, $error, "refused: $name");
}
done_testing();
