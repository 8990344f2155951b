# Jobs of a group: catch_up reads all their windows in one snapshot of the source, parents before children.
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use TwoServers;
use Test::More;

my ($source, $destination) = start_servers(source => "timezone = 'UTC'\nmax_prepared_transactions = 5\n", destination => "timezone = 'UTC'\nmax_worker_processes = 20\n");
my $password = $TwoServers::password;
sub value { my ($sql) = @_; return $destination->safe_psql('postgres', $sql) }
sub at_source { my ($sql) = @_; return $source->safe_psql('postgres', $sql) }
sub sql { return one_line($destination, 'verbose', @_) =~ s/in \d+\.\d s/in N s/gr }

# Orders and their items. Each transaction of the writer writes an order with its items, in one of the windows, or deletes one.
on_both('CREATE TABLE orders (id bigint PRIMARY KEY, at timestamptz NOT NULL, items int NOT NULL); CREATE TABLE items (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, order_id bigint NOT NULL REFERENCES orders, at timestamptz NOT NULL)', $source, $destination);
at_source(<<~'SQL');
	CREATE SEQUENCE order_ids;
	CREATE TABLE stop (now int);
	CREATE FUNCTION write_order(id bigint) RETURNS void LANGUAGE sql AS $$
	  INSERT INTO orders VALUES (id, timestamptz '2018-07-27 12:00+00' + id % 4 * interval '1 day', id % 3);
	  INSERT INTO items (order_id, at) SELECT write_order.id, timestamptz '2018-07-27 13:00+00' + id % 4 * interval '1 day' FROM generate_series(1, id % 3) $$;
	CREATE FUNCTION delete_order(id bigint) RETURNS void LANGUAGE sql AS $$
	  DELETE FROM items WHERE order_id = delete_order.id;
	  DELETE FROM orders WHERE orders.id = delete_order.id $$;
	CREATE PROCEDURE write_orders() LANGUAGE plpgsql AS $$
	DECLARE n bigint; BEGIN
	  WHILE NOT EXISTS (SELECT FROM stop) LOOP
	    n := nextval('order_ids');
	    PERFORM write_order(n), delete_order(n - 500);
	    COMMIT;
	    PERFORM pg_sleep(0.001);
	  END LOOP; END $$;
	SELECT write_order(nextval('order_ids')) FROM generate_series(1, 500);
	SQL
my %common = (window_column => "'at'", first_day => "'2018-07-27'", time_zone => "'UTC'", lag => "now() - '2018-07-31 12:00+00'");
sub create { my ($job, $table, %option) = @_; return define_job($job, "SELECT * FROM $table", %common, target => "'$table'", %option) }
sub begin { value('TRUNCATE items, orders, pgci_runs, pgci_coverage') ; return }
# Each item has its order, and each order its items, in all windows together; and all runs have read one snapshot.
my $is_whole = 'SELECT (SELECT coalesce(sum(items), 0) FROM orders) = (SELECT count(*) FROM items) AND NOT EXISTS (SELECT FROM orders AS o WHERE o.items <> (SELECT count(*) FROM items WHERE order_id = o.id))';
my $runs = q[SELECT count(*), count(DISTINCT source_snapshot), count(*) FILTER (WHERE status = 'succeeded') FROM copy_incremental_runs];
# A trigger of orders waits for this lock of a session.
value('CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN NULL; END$$; CREATE TRIGGER wait BEFORE INSERT ON orders FOR EACH STATEMENT EXECUTE FUNCTION wait()');
my ($holder) = open_session($destination);
my $waits = q[SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'advisory'];
# Runs a call whose loads of orders wait, and calls $meanwhile before they go on. Returns its SQLSTATE and what it said.
sub meanwhile
{
	my ($call, $meanwhile) = @_;
	$holder->query_safe('SELECT pg_advisory_lock(7)');
	my $client = start_client($destination, 'group', $call);
	poll_session($holder, $waits) or die 'no run waits';
	$meanwhile->();
	$holder->query_safe('SELECT pg_advisory_unlock(7)');
	my ($state, undef, $said) = end_of_client($client);
	return ($state, $said);
}

# The child's name comes first, so that only its foreign key makes it come last.
value(create('a_items', 'items') . ';' . create('b_orders', 'orders'));
my ($state, $said) = meanwhile('CALL copy_incremental_catch_up()', sub { at_source('SELECT write_order(nextval($$order_ids$$)) FROM generate_series(1, 4)') });
is($state, '23503', 'without a group, a child is loaded before its parent');
begin();
value(create('a_items', 'items', job_group => "'shop'") . ';' . create('b_orders', 'orders', job_group => "'shop'"));
for my $call ('CALL copy_incremental_catch_up()', q[CALL copy_incremental_catch_up(job_group => 'shop')], q[CALL copy_incremental_catch_up(job_group => 'shop', workers => 3)])
{
	begin();
	my $orders = at_source('SELECT count(*), count(DISTINCT at::date) FROM orders');
	($state, $said) = meanwhile($call, sub { at_source('SELECT write_order(nextval($$order_ids$$)) FROM generate_series(1, 8); SELECT delete_order(max(id) - 400) FROM orders') });
	is($state, '00000', "$call: succeeds") or diag($said);
	is(value('SELECT count(*), count(DISTINCT at::date) FROM orders'), $orders, "$call: the snapshot is of the moment at which it began");
	is(value($is_whole), 't', "$call: each item has its order and each order its items");
	is(value($runs), '8|1|8', "$call: all runs have read one snapshot");
	is(value('SELECT bool_and(settled) FROM copy_incremental_runs'), 't', "$call: the windows were settled");
}
is(sql('CALL copy_incremental_catch_up()'), 'NOTICE:  00000: no job of role "postgres" has a window that is due and missing', 'nothing is left');
is(sql(q[CALL copy_incremental_catch_up(job_group => 'shop')]), 'NOTICE:  00000: job "a_items": 0 windows, 0 rows  NOTICE:  00000: job "b_orders": 0 windows, 0 rows', 'nor of the group');
is(value(q[SELECT string_agg(job || ' ' || job_group, ', ' ORDER BY job) FROM copy_incremental_jobs]), 'a_items shop, b_orders shop', 'the view of jobs has the group');
no_session_left($source, 'no session is left at the source');

# A real writer, many rounds
my $writer = start_client($source, 'writer', 'CALL write_orders()');
my $rounds = $ENV{PG_TEST_EXTRA} && $ENV{PG_TEST_EXTRA} =~ /long/ ? 200 : 12;
my ($whole, $newest) = (0, 0);
for my $round (1 .. $rounds)
{
	begin();
	my $workers = 1 + $round % 4;
	my $outcome = sql("SET client_min_messages = warning; CALL copy_incremental_catch_up(job_group => 'shop', workers => $workers)");
	diag($outcome) if $outcome;
	++$whole if !$outcome && value($is_whole) eq 't' && value($runs) eq '8|1|8';
	my $now = value('SELECT max(id) FROM orders');
	++$newest if $now > $newest;
	$newest = $now;
}
is($whole, $rounds, 'a writer: each round has whole orders of one snapshot');
cmp_ok($newest, '>', 500, 'a writer: and it has written');
at_source('INSERT INTO stop VALUES (1)');
is((end_of_client($writer))[0], '00000', 'the writer ends');

# The session that holds the snapshot is lost while a run reads it: that run ends well, the next ones read a new snapshot.
my $exporter = q[SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'etl_reader' AND state = 'idle in transaction' AND query ~ 'pg_export_snapshot'];
for my $workers (1, 2)
{
	begin();
	($state, $said) = meanwhile("CALL copy_incremental_catch_up(job_group => 'shop', workers => $workers)", sub { is(at_source($exporter), 't', "$workers: the session that holds the snapshot is killed") });
	is($state, '00000', "$workers: the call succeeds") or diag($said);
	like($said, qr/NOTICE:  00000: job group "shop": the windows that are left are read in a new snapshot, retry 1 of 3 follows in \d\.\d s\nDETAIL:  The error was: the source does not have the snapshot of the job group any more \(SQLSTATE PI004\)\./, "$workers: a NOTICE");
	is(value($is_whole), 't', "$workers: all is loaded");
	is(value(q[SELECT count(DISTINCT source_snapshot) FROM copy_incremental_runs WHERE status = 'succeeded']), '2', "$workers: the ledger has both snapshots");
	is(value(q[SELECT string_agg(DISTINCT sqlstate, ' ') FROM copy_incremental_runs WHERE status = 'failed']), 'PI004', "$workers: and the attempt");
}
begin();
value(create($_->[0], $_->[1], job_group => "'shop'", retries => 0)) for [ 'a_items', 'items' ], [ 'b_orders', 'orders' ];
($state, $said) = meanwhile("CALL copy_incremental_catch_up(job_group => 'shop')", sub { at_source($exporter) });
is($state, 'PI004', 'without retries: the call fails');
like($said, qr/job "a_items", window 2018-07-27: the source does not have the snapshot of the job group any more \(SQLSTATE PI004\); 3 windows not tried\njob "b_orders", window 2018-07-28: .*PI004\); 2 windows not tried/s, 'without retries: what failed');
is(value(q[SELECT count(DISTINCT source_snapshot) FROM copy_incremental_runs WHERE status = 'succeeded']), '1', 'without retries: no second snapshot');
is(sql("CALL copy_incremental_catch_up(job_group => 'shop')"), 'NOTICE:  00000: job "b_orders": 3 windows, ' . value(q[SELECT count(*) FROM orders WHERE at >= '2018-07-28']) . ' rows  NOTICE:  00000: job "a_items": 4 windows, ' . value('SELECT count(*) FROM items') . ' rows', 'without retries: the next call loads the rest');
is(value($is_whole), 't', 'without retries: and all is whole');

$holder->quit;
done_testing();
