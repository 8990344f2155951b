# A kept connection that the source closes between two windows: the next window gets a new one, and fails for nothing.
use strict;
use warnings;

use FaultyProxy;
use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();
my $proxy = start_faulty_proxy($source->port);
on_both('CREATE TABLE rows (at timestamptz, v int)', $source, $destination);
$source->safe_psql('postgres', q[INSERT INTO rows SELECT timestamptz '2018-07-28 12:00+00' + n * interval '1 day', n FROM generate_series(0, 1) AS n]);
$destination->safe_psql('postgres', sprintf "ALTER SERVER src OPTIONS (SET port '%d', ADD application_name 'pass', ADD sslmode 'disable')", $proxy->port);
$destination->safe_psql('postgres', define_job('job', 'SELECT * FROM rows', window_column => "'at'", first_day => "'2018-07-28'", time_zone => "'UTC'", target => "'rows'", retries => 0));

# The windows that are loaded if the source's message of this number does not arrive.
sub loaded
{
	my ($message) = @_;
	$destination->safe_psql('postgres', "TRUNCATE rows, pgci_runs, pgci_coverage; ALTER SERVER src OPTIONS (SET application_name 'cut $message')");
	$destination->psql('postgres', "CALL copy_incremental_backfill('job', '2018-07-28', '2018-07-29')");
	return $destination->safe_psql('postgres', "SELECT string_agg(v::text, ' ' ORDER BY v) FROM rows");
}

# The first message that the first window does not need.
my ($low, $message) = (10, 1000);
is(loaded($message), '0 1', 'without a fault both windows are loaded');
while ($low < $message)
{
	my $middle = int(($low + $message) / 2);
	if (loaded($middle) =~ /^0/) { $message = $middle; } else { $low = $middle + 1; }
}
is(loaded($message), '0 1', "the connection ends after the first window (message $message): the second has another");
done_testing();
