# What copy_incremental_explain() and copy_incremental_describe() say of a run is what comes, for targets of every kind and
# every method: they name the error of a run that cannot begin, and none where one can. What fails only on a row, they
# cannot know. How many runs were foreseen is printed.
use strict;
use warnings;

use CaseRuns;
use TargetCases;
use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();
create_case_objects($source, $destination);
my @cases = target_cases();
my %count;

# Errors of rows, which a run has once it has begun.
my $of_a_row = qr/^ERROR (?:22|23|44|54|P0|0A000: cannot (?:insert into|convert NaN))/;

for my $method (qw(cursor copy))
{
	my (@steps, @runs);
	for my $i (0 .. $#cases / 2)
	{
		my ($name, $case) = @cases[ 2 * $i, 2 * $i + 1 ];
		push @runs, [ $name, $case ];
		push @steps, create_target($case);
		for my $mode (modes_of($case))
		{
			my @call = call_of($case, $method, $mode);
			push @steps,
			  look_sql('explain', @call, as => "SELECT string_agg(value, ' AND ') FROM (%s) AS e WHERE item IN ('error', 'missing privilege')"),
			  look_sql('describe', @call, as => "SELECT string_agg(note, ' AND ') FROM (%s) AS d WHERE note LIKE '%%the run fails%%'"),
			  copy_sql(@call, batch => 3);
		}
		push @steps, $case->{after} // '';
	}
	my @results = run_steps($destination, @steps);
	for my $run (@runs)
	{
		my ($name, $case) = @$run;
		shift @results;
		for my $mode (modes_of($case))
		{
			my ($explained, $described, $came) = map { s/\n.*//sr } splice @results, 0, 3;
			my $what = "$name: $method, $mode";
			my $error = $came =~ s/^(?:ERROR|refused:) //r;
			$_ =~ s/^(?:ERROR|refused:) // for $explained;
			$count{$came =~ /^\d+$/ ? 'succeeded' : $explained ne '' ? 'cannot begin' : 'failed on a row'}++;
			if ($came =~ /^\d+$/ || $explained eq '')
			{
				is($explained, '', "$what: no error is foreseen");
				is($described, '', "$what: no column fails");
				ok($came =~ /^\d+$/ || $came =~ $of_a_row, "$what: succeeds, or fails on a row") or diag($came);
			}
			else
			{
				is($explained, $error, "$what: the error is foreseen");
			}
		}
		shift @results;
	}
}
diag(sprintf 'runs that succeeded %d, failed on a row %d, could not begin %d, all of them foreseen',
	@count{ 'succeeded', 'failed on a row', 'cannot begin' }) if Test::More->builder->is_passing;
no_session_left($source, 'no session is left at the source');
done_testing();
