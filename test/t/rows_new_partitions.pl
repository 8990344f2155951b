# A partition that another session attaches while a run is under way: the next batch finds it; method copy says that it does not.
use strict;
use warnings;

use Sessions;
use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();

$source->safe_psql('postgres', 'CREATE TABLE reading AS SELECT g AS id FROM generate_series(1, 100) AS g');
$destination->safe_psql('postgres', <<~'SQL');
	CREATE TABLE reading (id int) PARTITION BY RANGE (id);
	CREATE TABLE first PARTITION OF reading FOR VALUES FROM (1) TO (41);
	CREATE TABLE second (id int);
	CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock(CASE WHEN NEW.id = 40 THEN 1 ELSE 2 END); RETURN NEW; END';
	CREATE TRIGGER hold BEFORE INSERT ON first FOR EACH ROW EXECUTE FUNCTION hold();
	SQL

sub run_beside
{
	my ($call, $change) = @_;
	my ($holder) = open_session($destination);
	$holder->query_safe('SELECT pg_advisory_lock(1)');
	my $client = start_client($destination, 'loader', $call);
	ok(poll_session($holder, q[SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted]), 'the run is within a batch');
	$holder->query_safe($change);
	$holder->query_safe('SELECT pg_advisory_unlock(1)');
	my @end = end_of_client($client);
	$holder->quit;
	return @end;
}

my $attach = 'ALTER TABLE reading ATTACH PARTITION second FOR VALUES FROM (41) TO (101)';
for my $option ([], [ on_error => "'reject'" ], [ mode => "'append'", transform => "'SELECT id FROM batch'" ])
{
	my $name = "options @$option";
	my ($state, $rows, $said) = run_beside(copy_sql('SELECT * FROM reading ORDER BY id', undef, target => "'reading'", batch => 10, @$option), $attach);
	is("$state $rows", '00000 100', "$name: the rows of a new partition") or diag($said);
	is($destination->safe_psql('postgres', 'SELECT (SELECT count(*) FROM first), count(*) FROM second'), '40|60', "$name: they are in it");
	$destination->safe_psql('postgres', 'ALTER TABLE reading DETACH PARTITION second; TRUNCATE reading, second; DELETE FROM pgci_runs');
}
# COPY is one statement.
for my $case ([ 'cursor', 'SELECT 1', '' ], [ 'copy', $attach, ' Method copy does not find partitions that are attached while it runs.' ])
{
	my ($method, $change, $more) = @$case;
	my ($state, undef, $said) = run_beside(copy_sql('SELECT * FROM reading ORDER BY id', undef, target => "'reading'", batch => 10, method => "'$method'"), $change);
	is($state, '23514', "$method: no partition takes the rows") or diag($said);
	like($said, qr/HINT:  Attach a partition for the row and run it again\.$more\n/, "$method: the hint");
	is($destination->safe_psql('postgres', 'SELECT count(*) FROM reading'), '0', "$method: nothing is written");
}
is($destination->safe_psql('postgres', copy_sql('SELECT * FROM reading ORDER BY id', undef, target => "'reading'", method => "'copy'")), '100', 'copy: the next run finds the partition');

no_session_left($source, 'no session is left at the source');
done_testing();
