# Wide rows, settings of the session, spellings of parameters, and what explain and the ledger must not show.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();
my $port = $source->port;

# 1,600 columns without a key: expressions over all of them must not be nested.
my $wide = 'CREATE TABLE wide (' . join(', ', map { "c$_ int" } 1 .. 1600) . ')';
on_both($wide, $source, $destination);
$source->safe_psql('postgres', 'INSERT INTO wide (c1, c1600) VALUES (1, 2), (3, 4)');
my @wide = ('SELECT * FROM wide', undef);
is($destination->safe_psql('postgres', copy_sql(@wide)), 2, 'wide: copied');
$destination->safe_psql('postgres', 'UPDATE wide SET c1600 = 5 WHERE c1 = 3');
is($destination->safe_psql('postgres', look_sql('verify', @wide)), 'f|2|2|1|1|', 'wide: verify tells the rows that differ');

on_both("CREATE TABLE ev (id int, at timestamptz, v text)", $source, $destination);
$source->safe_psql('postgres', q[INSERT INTO ev VALUES (1, '2018-07-29 01:00+00', 'a\'), (2, '2018-07-29 02:00+00', 'b')]);
my @ev = (q[SELECT * FROM ev WHERE v <> 'b\\' AND at >= $01 AND at < $02], '2018-07-29', time_zone => "'UTC'");
is($destination->safe_psql('postgres', copy_sql(@ev, method => "'copy'")), 2, 'parameters with leading zeros, method copy');
is($destination->safe_psql('postgres', 'SET standard_conforming_strings = off; ' . look_sql('verify', @ev)), 't|2|2|0|0|',
	'verify with standard_conforming_strings = off');

for my $method (qw(cursor copy))
{
	my $locks = $destination->safe_psql('postgres', look_sql('explain', @ev, method => "'$method'", before => 'BEGIN', as => 'SELECT count(*) FROM (%s) AS e')
		  . q[; SELECT string_agg(DISTINCT mode, ' ') FROM pg_locks WHERE relation = 'ev'::regclass; ROLLBACK]);
	like($locks, qr/\nAccessShareLock$/, "explain with method $method keeps no lock to write");
}

$destination->safe_psql('postgres', qq[CREATE ROLE other; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO other; GRANT USAGE ON FOREIGN SERVER src TO other;
	CREATE USER MAPPING FOR other SERVER src OPTIONS (user 'etl_reader', password '$TwoServers::password')]);
$destination->safe_psql('postgres', 'TRUNCATE pgci_runs; GRANT ALL ON ev TO other; ' . stored_job('seen', $ev[0], first_day => q['2018-07-29'], owner => q['other'::regrole]) . '; ' . copy_sql(@ev));
my $explain = q[SELECT * FROM copy_incremental_explain('seen', '2018-07-29')];
like($destination->safe_psql('postgres', "SET ROLE other; $explain"), qr/^earlier run\|/m, 'explain: an earlier run');
$destination->safe_psql('postgres', 'REVOKE ALL ON ev FROM other');
unlike($destination->safe_psql('postgres', "SET ROLE other; $explain"), qr/^earlier run\|/m,
	'explain: not for a role without privileges on the target');

# The "@" of the password makes a part of it the host; hostaddr connects all the same.
my $uri = "postgresql://etl_trusted:pa\@S3CRET\@h:$port/postgres?hostaddr=127.0.0.1";
is($destination->safe_psql('postgres', copy_sql(@ev, src_conninfo => "'$uri'")), 2, 'a URI with an unescaped password connects by hostaddr');
unlike($destination->safe_psql('postgres', 'SELECT source FROM copy_incremental_runs'), qr/S3CRET/, 'no part of the password in the ledger');
done_testing();
