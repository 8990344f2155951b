# CALL copy_incremental_catch_up(atomic => true): the same window of all jobs of a group is one transaction.
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use TwoServers;
use Test::More;

my ($source, $destination) = start_servers(source => "timezone = 'UTC'\n", destination => "timezone = 'UTC'\nmax_worker_processes = 20\nrestart_after_crash = on\n");
sub value { my ($sql) = @_; return $destination->safe_psql('postgres', $sql) }
sub at_source { my ($sql) = @_; return $source->safe_psql('postgres', $sql) }
sub sql { return one_line($destination, 'verbose', @_) =~ s/in \d+\.\d s/in N s/gr }

# Each order names its first item, and each item its order: a cycle of deferrable keys at the destination.
on_both('CREATE TABLE orders (id bigint PRIMARY KEY, at timestamptz NOT NULL, first_item bigint); CREATE TABLE items (id bigint PRIMARY KEY, order_id bigint NOT NULL, at timestamptz NOT NULL)', $source, $destination);
at_source(<<~'SQL');
	INSERT INTO orders SELECT n, timestamptz '2018-07-27 12:00+00' + n % 3 * interval '1 day', n FROM generate_series(1, 60) AS n;
	INSERT INTO items SELECT id, id, at FROM orders;
	SQL
value('ALTER TABLE items ADD CONSTRAINT to_order FOREIGN KEY (order_id) REFERENCES orders DEFERRABLE; ALTER TABLE orders ADD CONSTRAINT to_item FOREIGN KEY (first_item) REFERENCES items DEFERRABLE');
my %common = (window_column => "'at'", first_day => "'2018-07-27'", time_zone => "'UTC'", lag => "now() - '2018-07-30 12:00+00'", job_group => "'shop'", mode => "'replace'");
sub create { my ($table, %option) = @_; return define_job($option{name} // $table, "SELECT * FROM $table", %common, target => "'$table'", map { ($_, $option{$_}) } grep { $_ ne 'name' } keys %option) }
sub begin { value('SET session_replication_role = replica; DELETE FROM items; DELETE FROM orders'); value('TRUNCATE pgci_runs, pgci_coverage, pgci_jobs; ' . join ';', @_ ? @_ : (create('items'), create('orders'))); return }
my $call = q[CALL copy_incremental_catch_up(job_group => 'shop', atomic => true)];
my $loaded = 'NOTICE:  00000: job "items": 3 windows, 60 rows  NOTICE:  00000: job "orders": 3 windows, 60 rows';
my $counts = q[SELECT (SELECT string_agg(n::text, ' ' ORDER BY day) FROM (SELECT at::date AS day, count(*) AS n FROM orders GROUP BY 1) AS o), (SELECT string_agg(n::text, ' ' ORDER BY day) FROM (SELECT at::date AS day, count(*) AS n FROM items GROUP BY 1) AS i)];

begin();
like(sql(q[CALL copy_incremental_catch_up(job_group => 'shop')]), qr/NOTICE:  00000: foreign keys between the targets of job group "shop" form a cycle DETAIL:  The windows are loaded without regard to "to_order" of table public.items\..*ERROR:  23503: 2 of 2 jobs failed/, 'a cycle without atomic');
begin();
is(sql($call), $loaded, 'a cycle of deferrable keys');
is(value($counts), '20 20 20|20 20 20', 'all rows are loaded');
is(value(q[SELECT count(*), count(DISTINCT source_snapshot) FROM copy_incremental_runs WHERE status = 'succeeded']), '6|1', 'in one snapshot');
is(value('SELECT (SELECT count(DISTINCT xmin::text) FROM (SELECT xmin FROM orders UNION SELECT xmin FROM items) AS x)'), '3', 'in three transactions');
is(sql('CALL copy_incremental_catch_up(atomic => true)'), 'NOTICE:  00000: no job of role "postgres" has a window that is due and missing', 'nothing is left');
# Both rows of a pair are gone at the source: the old ones are deleted in any order.
at_source('DELETE FROM items WHERE id IN (1, 2); DELETE FROM orders WHERE id IN (1, 2)');
value('DELETE FROM pgci_coverage');
is(sql('CALL copy_incremental_catch_up(atomic => true, workers => 3)'), $loaded =~ s/60/58/gr, 'rows that were deleted at the source');
is(value($counts), '20 19 19|20 19 19', 'are deleted here');

# Keys that are not deferrable
value('ALTER TABLE orders ALTER CONSTRAINT to_item NOT DEFERRABLE; ALTER TABLE items ALTER CONSTRAINT to_order NOT DEFERRABLE');
begin();
like(sql($call), qr/NOTICE:  00000: foreign keys .* form a cycle.*"to_order" of table public.items\..*ERROR:  23503: 2 of 2 jobs failed/, 'keys that are not deferrable');
value('ALTER TABLE items ALTER CONSTRAINT to_order DEFERRABLE; ALTER TABLE orders DROP CONSTRAINT to_item');

# A row of the second day cannot be written: nothing of that day is in any table, the others are loaded.
value('ALTER TABLE items ADD CONSTRAINT small CHECK (id <> 31)');
begin();
like(sql($call), qr/WARNING:  23514: job "orders": window 2018-07-28 failed: the same window of job "items", which is loaded in the same transaction, failed: new row .*ERROR:  23514: 2 of 2 jobs failed/, 'a window that fails in one job');
is(value($counts), '20 19|20 19', 'a window that fails in one job: nothing of it is in any table');
is(value(q[SELECT string_agg(concat_ws(' ', job, lower(data_interval)::date, status, sqlstate), ', ' ORDER BY job) FROM copy_incremental_runs WHERE status <> 'succeeded']), 'items 2018-07-28 failed 23514, orders 2018-07-28 failed 23514', 'a window that fails in one job: the ledger');
is(value('SELECT string_agg(covered::text, $$ $$ ORDER BY job) FROM copy_incremental_jobs WHERE covered @> timestamptz $$2018-07-28$$'), '', 'a window that fails in one job: it is covered of none');
value('ALTER TABLE items DROP CONSTRAINT small');
is(sql($call), 'NOTICE:  00000: job "orders": 1 window, 19 rows  NOTICE:  00000: job "items": 1 window, 19 rows', 'the next call loads it');
# The commit fails.
at_source("INSERT INTO items VALUES (1000, 999, '2018-07-28 12:00+00')");
begin();
like(sql($call), qr/WARNING:  23503: job "items": window 2018-07-28 failed: insert or update on table "items" violates foreign key constraint "to_order".*ERROR:  23503: 2 of 2 jobs failed/, 'the commit of a window fails');
is(value($counts), '20 19|20 19', 'the commit of a window fails: nothing of it is in any table');
at_source('DELETE FROM items WHERE id = 1000');

# The process ends, is cancelled, or loses the snapshot, between the tables of the second window.
value(q[CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF NEW.id = 61 - 30 THEN PERFORM pg_advisory_xact_lock_shared(7); END IF; RETURN NEW; END$$; CREATE TRIGGER wait BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION wait()]);
my ($holder) = open_session($destination);
for my $case ([ 'terminated', '57P01' ], [ 'cancelled', '57014' ], [ 'without its snapshot', '00000' ], [ 'killed', 'lost' ])
{
	my ($name, $state) = @$case;
	begin();
	$holder->query_safe('SELECT pg_advisory_lock(7)');
	my $client = start_client($destination, 'atomic', $call);
	poll_session($holder, q[SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'advisory']) or die 'no run waits';
	is($holder->query_safe($counts), '20|20', "$name: the first window is visible in both tables, and the second in none");
	my ($pid) = $holder->query_safe(q[SELECT pid FROM pg_stat_activity WHERE application_name = 'atomic']);
	$holder->query_safe("SELECT pg_terminate_backend($pid)") if $name eq 'terminated';
	$holder->query_safe("SELECT pg_cancel_backend($pid)") if $name eq 'cancelled';
	is(at_source(q[SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'etl_reader' AND query ~ 'pg_export_snapshot']), 't', "$name: the session that holds the snapshot ends") if $state eq '00000';
	$holder->query_safe('SELECT pg_advisory_unlock(7)') if $state eq '00000';
	if ($name eq 'killed')
	{
		my $offset = -s $destination->logfile;
		kill 'KILL', $pid;
		$destination->wait_for_log(qr/database system is ready to accept connections/, $offset);
		eval { $holder->quit };
		($holder) = open_session($destination);
	}
	my ($end, undef, $said) = end_of_client($client);
	is($end, $state, "$name: the end of the call") or diag($said);
	if ($state eq '00000')
	{
		like($said, qr/in a new snapshot, retry 1 of 3/, "$name: a NOTICE");
		is(value($counts), '20 19 19|20 19 19', "$name: all is loaded");
		is(value(q[SELECT string_agg(n::text, ' ') FROM (SELECT count(DISTINCT source_snapshot) AS n FROM copy_incremental_runs WHERE status = 'succeeded' GROUP BY data_interval) AS s]), '1 1 1', "$name: each window is of one snapshot");
		next;
	}
	is(value($counts), '20|20', "$name: nothing of the second window is in any table");
	eval { $holder->query_safe('SELECT pg_advisory_unlock_all()') };
	is(sql($call), 'NOTICE:  00000: job "orders": 2 windows, 38 rows  NOTICE:  00000: job "items": 2 windows, 38 rows', "$name: the next call loads the rest");
}
$holder->quit;

# Another session loads one of the windows: the others of the same bounds are left to it, too.
begin();
my ($other) = open_session($destination);
$other->query_safe(q[BEGIN; SELECT copy_incremental_run('orders', '2018-07-28')]);
is(sql($call), 'NOTICE:  00000: job "orders": 2 windows, 39 rows; 1 being loaded by other sessions  NOTICE:  00000: job "items": 2 windows, 39 rows; 1 being loaded by other sessions', 'another session loads one of the windows');
$other->query_safe('COMMIT');
$other->quit;
is(sql($call), 'NOTICE:  00000: job "items": 1 window, 19 rows  NOTICE:  00000: job "orders": 0 windows, 0 rows', 'and then the other one');

# A job whose target does not exist would fail in each window.
value('CREATE TABLE plain (LIKE items)');
begin(create('items', target => "'plain'"), create('orders', target => "'later'"));
like(sql($call), qr/ERROR:  42P01: 2 of 2 jobs failed: "[^:]+" DETAIL:  job "items", window 2018-07-27: the same window of job "orders", .*; 2 windows not tried\s+job "orders", window 2018-07-27: table \S+later, .*; 2 windows not tried/, 'a target that does not exist');
is(value('SELECT count(*) FROM copy_incremental_runs'), '2', 'the first window is tried, and no other');

# Jobs that do not have the same windows
begin(create('items'), create('orders', window_size => "'12 hours'"));
like(sql($call), qr/ERROR:  22023: 2 of 2 jobs failed: "[^:]+" DETAIL:  .*jobs "items" and "orders" do not have the same windows/, 'windows of another size');
begin(create('items', time_zone => "'Asia/Tokyo'"), create('orders'));
like(sql($call), qr/22023: 2 of 2 jobs failed: .*do not have the same windows/, 'days of another time zone');
begin(define_job('ids', 'SELECT * FROM items', window_column => "'id'", target => "'items'", job_group => "'shop'", mode => "'upsert'", settle => "'off'"), create('orders'));
like(sql($call), qr/22023: 2 of 2 jobs failed: .*job "ids" has windows of ids/, 'windows of ids');
is(value('SELECT count(*) FROM orders'), '0', 'and nothing is loaded');
fails_with($destination, q[CALL copy_incremental_catch_up('orders', atomic => true)], '22023', qr/atomic has no meaning for one job/, 'one job');
fails_with($destination, q[CALL copy_incremental_catch_up(atomic => NULL)], '22004', qr/atomic/, 'NULL');
no_session_left($source, 'no session is left at the source');

$destination->stop;
kills_were_ours($destination, 1, 'no other process was killed');
done_testing();
