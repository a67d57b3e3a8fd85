"""How good an answer is: figures from results and truth. numpy only, no torch."""
