# The SQL of the README, pasted into psql, whose source is another database of the same server. The outputs are those that the
# README shows, and so are the guarantees.
use strict;
use warnings;

use FindBin;
use PgCron;
use PostgreSQL::Test::Utils;
use Test::More;
use TwoServers;

my (undef, $server) = start_servers(destination => cron_config() . "timezone = 'UTC'\n");
my ($readme, $guarantees) = map { slurp_file("$FindBin::RealBin/../../$_") } 'README.md', 'doc/guarantees.md';

my ($promise) = $readme =~ /^## Guarantees\n\n(.*?)\n\nWhat the extension cannot know/ms;
like($guarantees, qr/^# Guarantees\n\n\Q$promise\E\n\n/, 'README and doc/guarantees.md promise the same');

my (@sql, @shown);
while ($readme =~ /^```(sql|text)\n(.*?)^```$/msg)
{
	if ($1 eq 'sql') { push @sql, $2; push @shown, ''; }
	else { $shown[-1] = $2; }
}
is(scalar @sql, 4, 'the blocks of SQL');
my $shop = sprintf 'host=%s port=%d user=postgres dbname=shop', $server->host, $server->port;
is(scalar(grep { s/'dbname=shop'/'$shop'/ } @sql), 2, 'the source of the README');
for my $number (0 .. $#sql)
{
	# The output of each block begins at a line of its own.
	$sql[$number] = "\\echo block $number\n$sql[$number]";
}
my $said = '';
my @psql = ('psql', '-X', '--no-psqlrc', '-d', $server->connstr('postgres'));
IPC::Run::run([@psql], '<', \join("\n", @sql), '>&', \$said) or die $said;
my @outputs = split /^block \d+\n/m, $said;
shift @outputs;
for my $number (grep { $shown[$_] } 0 .. $#sql)
{
	is($outputs[$number] =~ s/\n+\z/\n/r =~ s/^psql:<stdin>:\d+: //mgr, $shown[$number], "the output of block $number");
}
is($server->safe_psql('dwh', 'SELECT count(*), count(DISTINCT id) FROM users'), '4320|4320', 'all rows, once');
unlike($said, qr/ERROR|WARNING/, 'no error, no warning');

SKIP:
{
	skip 'pg_cron is not installed (on Debian: postgresql-15-cron)', 1 unless cron_minor();
	$server->safe_psql('postgres', 'CREATE ROLE etl');
	create_cron($server);
	my ($nightly) = $readme =~ /^`(SELECT cron\.schedule.*)`\.$/m or die 'no line for pg_cron';
	$server->safe_psql('postgres', $nightly);
	is($server->safe_psql('postgres', 'SELECT jobname, command FROM cron.job'), 'catch up|CALL copy_incremental_catch_up()', 'pg_cron knows it');
}

done_testing();
