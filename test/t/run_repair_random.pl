# Writers at the source insert, update, delete, and move rows between windows, while runs upsert, replace and repair; after a last
# repair both sides are equal. ROUNDS and SEED choose the number of rounds and the random numbers.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers(
	source => "max_connections = 60\ntimezone = 'UTC'\n",
	destination => "max_connections = 60\ntimezone = 'UTC'\ndeadlock_timeout = 100ms\nmax_worker_processes = 20\n");
my $seed = $ENV{SEED} // time;
note("SEED=$seed");
srand $seed;
my $rounds = $ENV{ROUNDS} // 2;
my ($days, $ids) = (6, 400);

sub any { my (@of) = @_; return $of[ rand @of ]; }
sub moment { return "timestamptz '2024-01-01' + interval '1 second' * ${\int rand 86400 * $days}"; }
sub some { my $first = 1 + int rand $ids; return "id BETWEEN $first AND ${\($first + int rand 5)}"; }
sub change
{
	return any(
		"INSERT INTO rows SELECT g, ${\moment()}, 0, 'new' FROM generate_series(${\(1 + int rand $ids)}, ${\(1 + int rand $ids)}, 7) AS g ON CONFLICT DO NOTHING",
		"UPDATE rows SET v = v + 1 WHERE ${\some()}",
		"UPDATE rows SET at = ${\moment()}, v = v + 1 WHERE ${\some()}",
		"UPDATE rows SET note = CASE WHEN note IS NULL THEN 'x' END WHERE ${\some()}",
		"DELETE FROM rows WHERE ${\some()}");
}
sub run_of
{
	my ($kind) = @_;
	my $first = 1 + int rand $days;
	my $last = $first + int rand($days - $first + 1);
	my $deletes = any('apply', 'ignore');
	return "SELECT copy_incremental_run('$kind', '2024-01-0$first')" if $kind =~ /upsert|replace/;
	return "CALL copy_incremental_backfill('upsert', '2024-01-0$first', '2024-01-0$last', workers => 2, reprocess => 'different')" if $kind eq 'backfill';
	return "SELECT * FROM copy_incremental_repair('${\any('upsert', 'replace')}', '2024-01-0$first', '2024-01-0$last', '$deletes')";
}

for my $key ('PRIMARY KEY', '')
{
	my $name = $key ? 'with a key' : 'without a key';
	on_both('DROP TABLE IF EXISTS rows', $source, $destination);
	$source->safe_psql('postgres', 'CREATE TABLE rows (id int PRIMARY KEY, at timestamptz NOT NULL, v int NOT NULL, note text)');
	$destination->safe_psql('postgres', "CREATE TABLE rows (id int $key, at timestamptz NOT NULL, v int NOT NULL, note text); TRUNCATE pgci_jobs, pgci_coverage, pgci_runs");
	my @modes = $key ? qw(upsert replace) : qw(append replace);
	$destination->safe_psql('postgres', define_job($_ eq 'append' ? 'upsert' : $_, 'SELECT * FROM rows', mode => "'$_'", first_day => "'2024-01-01'", window_column => "'at'", time_zone => "'UTC'")) for @modes;
	my @kinds = $key ? qw(upsert replace repair repair backfill) : qw(replace repair repair backfill);
	for my $round (1 .. $rounds)
	{
		my @writers = map { my $writer = $_; start_client($source, "writer $writer", '\set ON_ERROR_STOP 0', map { (change(), 'SELECT pg_sleep(0.005)') } 1 .. 40) } 1 .. 5;
		my @runs = map { [ $_, start_client($destination, $_, '\set ON_ERROR_STOP 0', map { my $kind = $_; map { run_of($kind) } 1 .. 6 } $_) ] } @kinds;
		end_of_client($_) for @writers;
		my %states;
		for my $run (@runs)
		{
			my ($kind, $client) = @$run;
			my (undef, undef, $said) = end_of_client($client);
			# A row that has moved is in another window of the target until that window is loaded, too; and several windows in one
			# transaction may be a deadlock.
			my $expected = $kind eq 'replace' ? qr/^(23505|40P01)$/ : qr/^40P01$/;
			for my $state ($said =~ /ERROR:  (\w{5}):/g) { $states{"$kind: $state"} = $said unless $state =~ $expected; }
		}
		is(join(' ', sort keys %states), '', "$name, round $round: no other error, seed $seed") or diag(values %states);
		$destination->safe_psql('postgres', "SELECT copy_incremental_repair('replace', '2024-01-01', '2024-01-0$days')");
		my ($theirs, $ours) = map { $_->safe_psql('postgres', 'SELECT r::text FROM rows AS r ORDER BY 1') } $source, $destination;
		is($ours, $theirs, "$name, round $round: equal after a last repair, seed $seed");
		is($destination->safe_psql('postgres', "SELECT bool_and(matches) FROM copy_incremental_verify('replace', '2024-01-01', '2024-01-0$days')"), 't', "$name, round $round: verify agrees");
		is($destination->safe_psql('postgres', 'SELECT count(*) FROM pgci_claims'), 0, "$name, round $round: nothing is left of the claims");
	}
}
done_testing();
