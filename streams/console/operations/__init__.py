"""Operations: whether the stages run, what was refused, who waits, and what it runs with."""
