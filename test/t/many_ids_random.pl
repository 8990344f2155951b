# Jobs of ids beside eight writers that take ids, write at once or later, and commit or roll back after a random time: catch_up in a
# loop loses nothing and doubles nothing. SEED=number repeats the choices. PG_TEST_EXTRA="long" makes 200 rounds. PG_TEST_EXTRA="soak"
# makes none, calls catch_up every second for ten minutes (MINUTES=10), and says how long rows take.
use strict;
use warnings;

use Time::HiRes qw(sleep time);
use TwoServers;
use Test::More;

my $seed = $ENV{SEED} // int(time) ^ $$;
srand($seed);
diag("SEED=$seed");
my $extra = $ENV{PG_TEST_EXTRA} // '';
my $soaks = $extra =~ /\bsoak\b/;

my $config = "fsync = off\ntrack_commit_timestamp = on\nmax_worker_processes = 16\nlog_statement = none\n";
my ($source, $destination) = start_servers(source => $config, destination => $config);
sub any { return $_[ int rand @_ ] }

# Writes for some rounds. The first choice takes an id and writes it later, perhaps without a transaction ID until then.
$source->safe_psql('postgres', <<~'SQL');
	CREATE PROCEDURE write_rows(name text, rounds int, longest float8, seed float8) LANGUAGE plpgsql AS $$
	DECLARE next bigint;
	BEGIN
		PERFORM setseed(seed);
		FOR i IN 1..rounds LOOP
			IF random() < 0.4 THEN
				EXECUTE format('SELECT nextval(%L)', name || '_ids') INTO next;
				PERFORM pg_sleep(random() * longest);
				EXECUTE format('INSERT INTO %I VALUES ($1, $2)', name) USING next, i;
			ELSE
				EXECUTE format('INSERT INTO %I (v) SELECT g FROM generate_series(1, $1) AS g', name) USING 1 + (random() * 4)::int;
				PERFORM pg_sleep(random() * longest);
			END IF;
			IF random() < 0.2 THEN ROLLBACK; ELSE COMMIT; END IF;
			PERFORM pg_sleep(random() * longest / 4);
		END LOOP;
	END $$
	SQL

sub make_job
{
	my ($name, $cache, %argument) = @_;
	$source->safe_psql('postgres', "CREATE SEQUENCE ${name}_ids CACHE $cache; CREATE TABLE $name (id bigint DEFAULT nextval('${name}_ids') PRIMARY KEY, v int)");
	my $key = ($argument{mode} // '') =~ /append/ ? '' : ' PRIMARY KEY';
	$destination->safe_psql('postgres', "CREATE TABLE $name (id bigint$key, v int)");
	$destination->safe_psql('postgres', define_job($name, "SELECT * FROM $name", window_column => "'id'", %argument));
	return;
}

sub start_writers
{
	my ($name, $rounds, $longest) = @_;
	return map { start_client($source, "writer $_", "CALL write_rows('$name', $rounds, $longest, " . (2 * rand() - 1) . ")") } 1 .. 8;
}

# Rows of the source that the target does not have, and rows that it has more than once.
sub wrong
{
	my ($name) = @_;
	my %rows = map { $_ => 1 } split /\n/, $source->safe_psql('postgres', "SELECT id || ' ' || v FROM $name");
	my @loaded = split /\n/, $destination->safe_psql('postgres', "SELECT id || ' ' || v FROM $name");
	my %loaded = map { $_ => 1 } @loaded;
	my $lost = grep { !$loaded{$_} } keys %rows;
	my $foreign = grep { !$rows{$_} } keys %loaded;
	return sprintf '%d lost, %d doubled, %d foreign', $lost, @loaded - keys %loaded, $foreign;
}

my $rounds = $extra =~ /\blong\b/ ? 200 : $soaks ? 0 : 4;
for my $round (1 .. $rounds)
{
	my $name = "t$round";
	my $cache = any(1, 1, 1, 50);
	my $mode = any('append', 'append', 'upsert', 'skip');
	my ($workers, $size) = (any(1, 1, 3), any(7, 50, 1000));
	make_job($name, $cache, mode => "'$mode'", window_size_rows => $size, settle => any("'warn'", "'warn'", "'wait'"));
	my @writers = start_writers($name, 4, any(0.05, 0.3));
	my $call = "CALL copy_incremental_catch_up('$name', workers => $workers)";
	my @calls = map { start_client($destination, "call $_", ($call) x 3) } 1 .. any(1, 1, 2);
	my @ends = map { end_of_client($_) } @writers;
	my @failed = grep { $_->[0] ne '00000' } map { [ end_of_client($_) ] } @calls;
	my $last = [ $destination->psql('postgres', $call) ];
	my $found = wrong($name);
	ok($found eq '0 lost, 0 doubled, 0 foreign' && !@failed && $last->[0] == 0, "round $round: cache $cache, mode $mode, $workers workers, windows of $size")
	  or diag("$found; ", map { "@$_\n" } @failed, $last);
}

if ($soaks)
{
	make_job('soak', 1, mode => "'append'", window_size_rows => 1000);
	my $minutes = $ENV{MINUTES} // 10;
	my @writers = start_writers('soak', 1000000, 2);
	my ($end, $calls, $failed) = (time + 60 * $minutes, 0, 0);
	while ((my $began = time) < $end)
	{
		my ($status, undef, $err) = $destination->psql('postgres', q[CALL copy_incremental_catch_up('soak')]);
		$calls++;
		$failed++, diag($err) if $status != 0;
		my $rest = $began + 1 - time;
		sleep $rest if $rest > 0;
	}
	$source->safe_psql('postgres', q[SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'writer%']);
	# They ran longer than the timer of a client.
	$_->{run}->kill_kill for @writers;
	$destination->safe_psql('postgres', q[CALL copy_incremental_catch_up('soak')]);
	is(wrong('soak') . ", $failed of $calls calls failed", "0 lost, 0 doubled, 0 foreign, 0 of $calls calls failed", "$minutes minutes beside eight writers");
	my $when = 'SELECT id, extract(epoch FROM pg_xact_commit_timestamp(xmin)) FROM soak';
	my %committed = map { split /\|/ } split /\n/, $source->safe_psql('postgres', $when);
	my %loaded = map { split /\|/ } split /\n/, $destination->safe_psql('postgres', $when);
	my @delays = sort { $a <=> $b } map { $loaded{$_} - $committed{$_} } grep { exists $loaded{$_} } keys %committed;
	diag(sprintf '%d rows; seconds from the commit at the source to the commit here: median %.2f, 99%% %.2f, most %.2f', scalar @delays, $delays[ @delays / 2 ], $delays[ @delays * 0.99 ], $delays[-1]);
}
done_testing();
