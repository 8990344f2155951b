# A window of which the source has no rows: what mode replace says of it, and the option on_empty.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();
my $create = 'CREATE TABLE sale (id int PRIMARY KEY, at timestamptz, note text)';
on_both($create, $source, $destination);
$source->safe_psql('postgres', q[INSERT INTO sale SELECT g, timestamptz '2018-07-29 10:00+00' + g * interval '1 hour', 'n' FROM generate_series(1, 3) AS g]);

sub results { return one_line($destination, 'default', @_); }

sub load_sql
{
	my ($day, %argument) = @_;
	return copy_sql('SELECT * FROM sale', $day, window_column => "'at'", time_zone => "'UTC'", mode => "'replace'", %argument);
}

my $before = q[TRUNCATE sale; INSERT INTO sale SELECT 100 + g, timestamptz '2018-07-28 10:00+00' + g * interval '1 minute', 'old' FROM generate_series(1, 5) AS g; DELETE FROM pgci_runs];
my $count = 'SELECT count(*) FROM sale';

for my $method (qw(cursor copy))
{
	my @method = (method => "'$method'");
	$destination->safe_psql('postgres', $before);
	is(results(load_sql('2018-07-28', @method), $count),
		'0 0NOTICE:  source returned no rows for window 2018-07-28 of public.sale, and 5 rows were deleted', "replace, $method: both counts");
	is(results(load_sql('2018-07-28', @method)), '0', "replace, $method: nothing to say when nothing was deleted");
	for my $mode (qw(append replace), $method eq 'cursor' ? qw(skip upsert) : ())
	{
		$destination->safe_psql('postgres', $before);
		my $said = fails_with($destination, load_sql('2018-07-28', @method, mode => "'$mode'", on_empty => "'error'"), 'P0002',
			qr/source returned no rows for window 2018-07-28 of public\.sale/, "error, $mode, $method");
		like($said, qr/HINT:  .*on_empty => 'allow'/, "error, $mode, $method: hint");
		is(results($count, 'SELECT count(*) FROM copy_incremental_runs'), '5 0', "error, $mode, $method: nothing was deleted");
		is(results($before, load_sql('2018-07-29', @method, mode => "'$mode'", on_empty => "'error'")), '3', "error, $mode, $method: a window with rows");
	}
}
$destination->safe_psql('postgres', $before);
fails_with($destination, by_batches(load_sql('2018-07-28', on_empty => "'error'")), 'P0002', qr/source returned no rows/, 'error: the procedure');
is(results($count), '5', 'error: the procedure has deleted nothing');
fails_with($destination, copy_sql('SELECT * FROM sale WHERE false', undef, mode => "'replace'", on_empty => "'error'"), 'P0002',
	qr/source returned no rows for the whole result of public\.sale/, 'error: a whole table');
is(results(copy_sql('SELECT * FROM sale WHERE false', undef, mode => "'replace'"), $count),
	'0 0NOTICE:  source returned no rows for the whole result of public.sale, and 5 rows were deleted', 'replace: a whole table');
fails_with($destination, load_sql('2018-07-28', on_empty => "'refuse'"), '22023', qr/on_empty/, 'another word');

# A job keeps the option, and says its name.
$destination->safe_psql('postgres', $before);
$destination->safe_psql('postgres', define_job('sales', 'SELECT * FROM sale', first_day => "'2018-07-28'", time_zone => "'UTC'", mode => "'replace'",
		window_column => "'at'", on_empty => "'error'"));
fails_with($destination, q[SELECT copy_incremental_run('sales', '2018-07-28')], 'P0002', qr/window 2018-07-28 of job "sales" into public\.sale/, 'a job');
$destination->psql('postgres', q[CALL copy_incremental_backfill('sales', '2018-07-28', '2018-07-28')]);
is(results("$count WHERE note = 'old'"), '5', 'a job: nothing was deleted');
is(results(q[SELECT status, sqlstate FROM copy_incremental_runs WHERE data_interval @> timestamptz '2018-07-28 12:00+00' ORDER BY run_id LIMIT 1]), 'failed|P0002',
	'a job: the failure is recorded');

no_session_left($source, 'no session is left at the source');
done_testing();
